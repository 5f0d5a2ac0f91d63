import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../src/core/chat.ts';
import { AppError } from '../../src/core/errors.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { collect } from '../support/collect.ts';

const request: ChatRequest = { model: 'm', input: { type: 'text', prompt: 'x' }, sampling: {}, stop: [] };
const context = { signal: new AbortController().signal, requestId: 'req_1' };
const start: StreamEvent = { type: 'start', model: 'real-name', promptTokens: 1, cachedPromptTokens: 0 };
const delta: StreamEvent = { type: 'text-delta', blockId: 0, text: 'a' };

function setup(events: (StreamEvent | Error)[]) {
  let returned = 0;
  const gateway = createGateway({
    providers: new Map([
      [
        'local',
        {
          id: 'local',
          async *stream() {
            try {
              for (const event of events) {
                if (event instanceof Error) throw event;
                yield event;
              }
            } finally {
              returned++;
            }
          },
        },
      ],
    ]),
  });
  return { gateway, returned: () => returned };
}

describe('the gateway', () => {
  it('waits for the start, tells who answers, and gives every event from the start on', async () => {
    const { gateway } = setup([{ type: 'progress', stage: 'loading' }, start, delta]);
    const answer = await gateway.stream(request, context);
    expect(answer).toMatchObject({ providerId: 'local', model: 'real-name' });
    expect(await collect(answer.events)).toEqual([start, delta]);
  });

  it('rejects while the status line is free when the provider fails before its start', async () => {
    const { gateway, returned } = setup([
      { type: 'progress', stage: 'queued' },
      new AppError('queue_full', 'full', { retryAfterSeconds: 3 }),
    ]);
    await expect(gateway.stream(request, context)).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 3 });
    expect(returned()).toBe(1);
  });

  it('throws from the events what fails after the start, as an error of the catalogue', async () => {
    const { gateway } = setup([start, delta, new Error('native secret')]);
    const { events } = await gateway.stream(request, context);
    const failed = collect(events);
    await expect(failed).rejects.toBeInstanceOf(AppError);
    await expect(failed).rejects.not.toThrow(/native secret/);
  });

  it('releases the provider when the answer is given up, before or after the first event was read', async () => {
    const unread = setup([start, delta, delta]);
    await (await unread.gateway.stream(request, context)).events[Symbol.asyncIterator]().return?.();
    expect(unread.returned()).toBe(1);

    const read = setup([start, delta, delta]);
    for await (const _event of (await read.gateway.stream(request, context)).events) break;
    expect(read.returned()).toBe(1);
  });

  it('refuses a provider that does not begin with a start, and releases it', async () => {
    const { gateway, returned } = setup([delta, delta]);
    await expect(gateway.stream(request, context)).rejects.toMatchObject({ code: 'internal_error' });
    expect(returned()).toBe(1);
  });
});
