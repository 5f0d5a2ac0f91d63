import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Harness } from '../http/harness.ts';
import {
  type ReplayServer,
  recordedStreams,
  sectionOf,
  startReplayServer,
  streamingProviders,
  type Wire,
} from '../support/recorded-streams.ts';
import { createRoutedHarness, toAll } from '../support/routed-harness.ts';
import type { DialectDriver } from './dialect.contract.ts';
import { allDrivers } from './drivers/all.ts';
import { streamEndsOf } from './stream-ends.ts';

const seen = new Set<Wire>();

describe.each(streamingProviders)('a stream of the type $type for $model, cut at every event', (source) => {
  let first: ReplayServer;
  let next: ReplayServer;
  let harness: Harness;
  beforeAll(async () => {
    [first, next] = await Promise.all([startReplayServer(), startReplayServer()]);
    harness = await createRoutedHarness({ first: sectionOf(source, first), next: sectionOf(source, next) });
    next.answer = (wire) => ({ type: 'stream', wire, afterBytes: Number.POSITIVE_INFINITY, how: 'end' });
  });
  afterEach(() => {
    first.asked = [];
    next.asked = [];
  });
  afterAll(async () => {
    await harness.close();
    await Promise.all([first.close(), next.close()]);
  });

  const ask = async (driver: DialectDriver) => {
    harness.breakers.reset();
    const body = driver.toBody({ prompt: 'Hi', stream: true, model: source.model });
    return harness.send('POST', driver.streamUrl ?? driver.url, body, { ...driver.headers, ...toAll });
  };

  it.each(driversOf(source))(
    'is the next one’s chance before its first content, and one error after it: $name',
    async (driver) => {
      const { wire, records } = await streamFor(driver);
      const whole = records.map(({ text }) => text).join('');
      for (const [index, how] of cutsOf(records)) {
        const before = records.slice(0, index);
        const afterBytes = before.reduce((sum, { bytes }) => sum + bytes.length, 0);
        first.answer = () => ({ type: 'stream', wire, afterBytes, how });
        const asked = [first.asked.length, next.asked.length];
        const { statusCode, headers, body } = await ask(driver);
        const place = `${how} after ${index} of ${records.length} events`;
        expect(statusCode, place).toBe(200);
        expect(first.asked.length - asked[0]!, place).toBe(1);
        const said = before.map(({ text }) => text).join('');
        const isFirst = said !== '';
        expect(headers['x-provider-used'], place).toBe(isFirst ? 'first' : 'next');
        expect(next.asked.length - asked[1]!, place).toBe(isFirst ? 0 : 1);
        const { text, hasEnded, error } = driver.readStream(body);
        expect(text, place).toBe(isFirst ? said : whole);
        const isWhole = !isFirst || index === records.length;
        if (isWhole || hasEnded)
          expect({ text, hasEnded, error }, place).toEqual({ text: whole, hasEnded: true, error: null });
        else expect(driver.readError(error).message, place).not.toBe('');
        expect(streamEndsOf(body), place).toEqual([error === null ? 'end' : 'error']);
      }
    },
  );

  async function streamFor(driver: DialectDriver) {
    first.answer = (wire) => ({ type: 'stream', wire, afterBytes: Number.POSITIVE_INFINITY, how: 'end' });
    await ask(driver);
    const wire = first.asked.at(-1)!;
    seen.add(wire);
    return { wire, records: recordedStreams[wire] };
  }
});

/** After each number of records, in both ways. */
function cutsOf(records: readonly unknown[]) {
  const counts = Array.from({ length: records.length + 1 }, (_, index) => index);
  return counts.flatMap((index) => (['reset', 'end'] as const).map((how) => [index, how] as const));
}

/** Those whose streams are no other's. A prompt that is gone on from belongs to services that have such a thing. */
function driversOf({ type }: (typeof streamingProviders)[number]) {
  return allDrivers.filter(
    ({ url, streamUrl }) => streamUrl === undefined && (type === 'openai' || url !== '/v1/completions'),
  );
}

it('has cut every wire', () => {
  expect([...seen].sort()).toEqual(Object.keys(recordedStreams).sort());
});
