import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'vitest';
import { answerEvents, finishEvent, startEvent, textEvents } from '../../support/fake-engine.ts';
import { type Harness, sseData } from '../harness.ts';

const prompt = 'the canary sings';
/** Of processor time: others on the machine do not count. */
const maxWorkMs = 1_000;
const maxGrowthBytes = 20 * 1024 * 1024;

/** A stream of somebody else that goes on beside bad requests. */
export interface Canary {
  /**
   * Sends something bad and checks what must hold beside it: the stream beside it goes on while it is refused and after
   * that, the refusal takes less than a second of processor time and no timer, and it is counted once.
   */
  beside<Answer>(send: () => Promise<Answer>): Promise<Answer>;
  /** Ends the stream, which must have said every word as if nothing had been beside it. */
  release(): Promise<void>;
}

/** Replaces the script of the harness: all but the canary get an answer of two words. */
export async function createCanary(harness: Harness): Promise<Canary> {
  let sing = Promise.withResolvers<void>();
  let isOver = false;
  harness.gateway.play(async function* (request) {
    if (!JSON.stringify(request.input).includes(prompt)) {
      yield* answerEvents(['Hello', ' world']);
      return;
    }
    yield startEvent();
    const [begin, token, end] = textEvents(['♪'], 0);
    yield begin!;
    while (true) {
      await sing.promise;
      if (isOver) break;
      sing = Promise.withResolvers();
      yield token!;
    }
    yield end!;
    yield finishEvent(1);
  });
  const asked = fetch(`${await harness.http.listen()}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: prompt }], stream: true }),
  });
  await harness.gateway.call(0);
  sing.resolve();
  const { body } = await asked;
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let seen = 0;
  const until = async (sign: string) => {
    while (!text.includes(sign, seen)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`the canary's stream has ended: ${text}`);
      text += value;
    }
    seen = text.indexOf(sign, seen) + sign.length;
  };
  const token = '"content":"♪"';
  let sung = 1;
  await until(token);
  const beat = async () => {
    sung++;
    sing.resolve();
    await until(token);
  };
  const refusals = async () =>
    [...(await harness.metrics()).matchAll(/^hearth_rejected_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  return {
    async beside(send) {
      const before = await refusals();
      const startMs = harness.clock.monotonicMs();
      const startWork = process.cpuUsage();
      const [answer] = await Promise.all([send(), beat()]);
      const { user, system } = process.cpuUsage(startWork);
      expect((user + system) / 1000).toBeLessThan(maxWorkMs);
      expect(harness.clock.monotonicMs()).toBe(startMs);
      await beat();
      expect((await refusals()) - before).toBe(1);
      return answer;
    },
    async release() {
      isOver = true;
      sing.resolve();
      await until('[DONE]');
      await reader.cancel();
      const chunks = sseData(text).flatMap((data) => (data === '[DONE]' ? [] : [JSON.parse(data)]));
      expect(chunks.map(({ choices: [{ delta }] }) => delta.content ?? '').join('')).toBe('♪'.repeat(sung));
      expect(chunks.at(-1)).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
    },
  };
}

/** Checks that work leaves nothing behind in memory: it is done twice, and counted the second time. */
export async function expectNothingKept(work: () => Promise<void>): Promise<void> {
  await work();
  const before = usedBytes();
  await work();
  expect(usedBytes() - before).toBeLessThan(maxGrowthBytes);
}

/** What is in use once all that is not has been collected. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
