/**
 * A process of the `gateway` bench: the least that a relay in Node can do, as a yardstick. What it costs is Node's HTTP and the
 * system's sockets.
 */
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { UpstreamReady } from './gateway-upstream.ts';

const upstream = process.argv[2]!;
const agent = new Agent({ keepAlive: true });
const server = createServer((asked, response) => {
  const sent = httpRequest(`${upstream}${asked.url}`, { method: 'POST', headers: asked.headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on('data', (bytes: Buffer) => response.write(bytes));
    answer.on('end', () => response.end());
  });
  asked.pipe(sent);
});
server.listen(0, '127.0.0.1', () => {
  const ready: UpstreamReady = { type: 'ready', port: (server.address() as AddressInfo).port };
  process.send?.(ready);
});
process.on('disconnect', () => process.exit(0));
