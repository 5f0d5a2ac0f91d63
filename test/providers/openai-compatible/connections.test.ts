import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createOpenAiCompatibleProvider } from '../../../src/providers/openai-compatible/openai-compatible.ts';
import { anyContext } from '../../support/calls.ts';
import { collect } from '../../support/collect.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cloudModel, providerConfig } from '../../support/provider-config.ts';

const record = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;

it('a stream that has said its last leaves its connection to the next request', async () => {
  const sockets = new Set<unknown>();
  const server = createServer((request, response) => {
    sockets.add(request.socket);
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(record({ delta: { content: 'a' } }));
      response.end(`${record({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const config = providerConfig({ baseUrl, models: [cloudModel('toy')] });
  const provider = createOpenAiCompatibleProvider({ config, clock: manualClock() });
  const ask = () =>
    collect(
      provider.stream(
        { model: 'toy', input: { type: 'text', prompt: 'a' }, sampling: {}, stop: [] },
        anyContext({ signal: new AbortController().signal }),
      ),
    );
  try {
    for (let index = 0; index < 3; index++) {
      expect((await ask()).at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
      // The end of the body comes with its last record, and is read behind it.
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    }
    expect(sockets.size).toBe(1);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
