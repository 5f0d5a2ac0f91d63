import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A server that speaks the protocol of Network UPS Tools (RFC 9271), as far as a client that only reads needs it. */
export interface FakeNut {
  port: number;
  /** Lines that clients sent. */
  asked: string[];
  /** By UPS, then by variable; null: its driver is away. */
  upses: Record<string, Record<string, string> | null>;
  /** Closes the socket, so that nobody answers any more. */
  stop(): Promise<void>;
}

/** `port`: 0 for a free one. */
export async function startFakeNut(upses: FakeNut['upses'], port = 0): Promise<FakeNut> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const nut: FakeNut = {
    port,
    asked,
    upses,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      asked.push(line);
      socket.write(`${answerTo(line, nut.upses)}\n`);
      if (line === 'LOGOUT') socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  nut.port = (server.address() as AddressInfo).port;
  return nut;
}

function answerTo(line: string, upses: FakeNut['upses']): string {
  const [command, kind, name = '', variable = '', ...more] = line.split(' ');
  if (line === 'LOGOUT') return 'OK Goodbye';
  if (command !== 'GET') return 'ERR UNKNOWN-COMMAND';
  if (kind !== 'VAR' || variable === '' || more.length > 0) return 'ERR INVALID-ARGUMENT';
  const ups = upses[name];
  if (ups === undefined) return 'ERR UNKNOWN-UPS';
  if (ups === null) return 'ERR DRIVER-NOT-CONNECTED';
  const value = ups[variable];
  if (value === undefined) return 'ERR VAR-NOT-SUPPORTED';
  return `VAR ${name} ${variable} "${value.replace(/["\\]/g, '\\$&')}"`;
}
