import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finishEvent, startEvent, textEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness, sseData } from '../harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(() => harness.close());

const bodies: Record<string, object> = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'Hi' }] },
  '/v1/completions': { prompt: 'Hi' },
};
const recordsOf = (text: string) =>
  sseData(text)
    .filter((item) => item !== '[DONE]')
    .map((item) => JSON.parse(item));

describe.each(Object.keys(bodies))('%s', (url) => {
  const send = (fields: object) => harness.send('POST', url, { ...bodies[url], ...fields });

  it('tells how far the prompt is read, to those who ask', async () => {
    harness.gateway.play(async function* () {
      yield { type: 'progress', stage: 'loading' };
      yield startEvent();
      for (const readTokens of [3, 5]) {
        harness.clock.advance(40);
        yield { type: 'progress', stage: 'prompt', readTokens, totalTokens: 5 };
      }
      yield* textEvents(['Hello'], 0);
      yield finishEvent(1);
    });
    const told = recordsOf((await send({ stream: true, return_progress: true })).body).filter(
      (record) => record.prompt_progress,
    );
    expect(told.map((record) => record.prompt_progress)).toEqual([
      { total: 5, cache: 2, processed: 3, time_ms: 40 },
      { total: 5, cache: 2, processed: 5, time_ms: 80 },
    ]);
    expect(told.map(({ choices }) => [choices[0].index, choices[0].finish_reason])).toEqual([
      [0, null],
      [0, null],
    ]);
    expect((await send({ stream: true })).body).not.toContain('prompt_progress');
    expect((await send({ return_progress: true })).json()).not.toHaveProperty('prompt_progress');
  });

  it('names the software and the weights in every record, where the provider does', async () => {
    harness.gateway.play(() => [
      { ...startEvent(), fingerprint: 'b8390-0123456789ab' },
      ...textEvents(['Hello'], 0),
      finishEvent(1),
    ]);
    expect((await send({})).json().system_fingerprint).toBe('b8390-0123456789ab');
    const records = recordsOf((await send({ stream: true })).body);
    expect(new Set(records.map((record) => record.system_fingerprint))).toEqual(new Set(['b8390-0123456789ab']));
  });
});
