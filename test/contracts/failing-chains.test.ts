import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Harness } from '../http/harness.ts';
import {
  type Replay,
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

/** Its stream until before the first record with text: the head of an answer that never says a word. */
function headOnly(wire: Wire): Replay {
  const records = recordedStreams[wire];
  const silent = records.slice(
    0,
    records.findIndex(({ text }) => text !== ''),
  );
  return { type: 'stream', wire, afterBytes: silent.reduce((sum, { bytes }) => sum + bytes.length, 0), how: 'reset' };
}

const failure = (status: number, message: string): Replay => {
  const error = { type: 'error', message, code: null, param: null };
  // Each service reads what it knows of these.
  const headers = { 'x-amzn-errortype': status === 429 ? 'ThrottlingException' : 'InternalServerException' };
  return { type: 'answer', status, headers, body: JSON.stringify({ type: 'error', message, error }) };
};
const page: Replay = {
  type: 'answer',
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Be patient.</body></html>',
};

/** How the two of the chain fail, one after the other. */
const failures: [name: string, first: (wire: Wire) => Replay, second: (wire: Wire) => Replay][] = [
  ['both by their status', () => failure(500, 'It is the sea.'), () => failure(503, 'It is the sea.')],
  ['both by their limits', () => failure(429, 'Too many.'), () => failure(429, 'Too many.')],
  ['by a reset, and a limit', () => ({ type: 'reset' }), () => failure(429, 'Too many.')],
  ['by pages in place of answers', () => page, () => page],
  ['both after the head of a stream', headOnly, headOnly],
  ['after the head of a stream, and by a status', headOnly, () => failure(500, 'It is the sea.')],
];

const [anthropic, openai, claude] = streamingProviders;
/** The first of a chain and the second. */
const chains = [
  { first: openai, second: anthropic },
  { first: anthropic, second: openai },
  { first: claude, second: anthropic },
  { first: openai, second: openai },
];

describe.each(chains)('a chain of $first.type and $second.type, both of which fail', ({ first, second }) => {
  const sources = [first, second];
  let upstreams: ReplayServer[];
  let harness: Harness;
  const model = 'the-model';
  beforeAll(async () => {
    upstreams = await Promise.all([startReplayServer(), startReplayServer()]);
    const sections = sources.map((source, index) => ({
      ...sectionOf(source, upstreams[index]!),
      models: [{ id: source.model, aliases: [model] }],
    }));
    harness = await createRoutedHarness({ first: sections[0]!, second: sections[1]! });
  });
  afterEach(() => {
    for (const upstream of upstreams) upstream.asked = [];
  });
  afterAll(async () => {
    await harness.close();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });

  /** A prompt that is gone on from is nothing that Anthropic and Bedrock have. */
  const drivers = allDrivers.filter(
    ({ url }) => url !== '/v1/completions' || sources.every(({ type }) => type === 'openai'),
  );

  it.each(drivers)(
    'is a true status with an error in the dialect’s shape, streamed or whole: $name',
    async (driver) => {
      for (const [name, failFirst, failSecond] of failures) {
        for (const stream of [true, false]) {
          const place = `${name}, ${stream ? 'streamed' : 'whole'}`;
          harness.breakers.reset();
          for (const upstream of upstreams) upstream.asked = [];
          upstreams[0]!.answer = failFirst;
          upstreams[1]!.answer = failSecond;
          const url = (stream && driver.streamUrl) || driver.url;
          const body = driver.toBody({ prompt: 'Hi', stream, model });
          const answer = await harness.send('POST', url, body, { ...driver.headers, ...toAll });
          const asked = sources.map((source) => (mayAsk(driver, source) ? 1 : 0));
          const areBothAsked = asked.every((count) => count === 1);
          const wereAsked = upstreams.map((upstream) => upstream.asked.length);
          expect(wereAsked, place).toEqual(asked);
          if (areBothAsked) expect(answer.statusCode, place).toBe(driver.statuses?.[503] ?? 503);
          else expect(String(answer.statusCode), place).toMatch(/^(429|5\d\d)$/);
          expect(answer.headers['content-type'], place).toMatch(/^application\/json/);
          expect(driver.readError(answer.json()).message, place).toMatch(areBothAsked ? /Nobody could answer/ : /./);
        }
      }
    },
  );

  /** Requests for a response that pass as they came go to nobody who would have to translate them. */
  function mayAsk({ url }: DialectDriver, { type }: (typeof streamingProviders)[number]): boolean {
    return url !== '/v1/responses' || type === 'openai' || sources.every((source) => source.type !== 'openai');
  }
});

describe('a stream of messages that had to begin before anybody answered', () => {
  let upstreams: ReplayServer[];
  let harness: Harness;
  const driver = allDrivers.find(({ url }) => url === '/v1/messages')!;
  beforeAll(async () => {
    upstreams = await Promise.all([startReplayServer(), startReplayServer()]);
    harness = await createRoutedHarness({
      first: sectionOf(openai, upstreams[0]!),
      second: sectionOf(openai, upstreams[1]!),
    });
  });
  afterAll(async () => {
    await harness.close();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });

  it.each([
    ['has a true status when all fail before 9 s', 8_900],
    ['has one error behind its early head when all fail after it', 9_000],
  ])('%s', async (_what, elapsedMs) => {
    harness.breakers.reset();
    const [first, second] = upstreams as [ReplayServer, ReplayServer];
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    first.answer = async () => {
      asked.resolve();
      await gate.promise;
      return failure(500, 'It is the sea.');
    };
    second.answer = headOnly;
    const body = driver.toBody({ prompt: 'Hi', stream: true, model: openai.model });
    const sent = harness.send('POST', driver.url, body, { ...driver.headers, ...toAll });
    await asked.promise;
    harness.clock.advance(elapsedMs);
    gate.resolve();
    const answer = await sent;
    if (elapsedMs < 9_000) {
      expect(answer.statusCode).toBe(529);
      expect(driver.readError(answer.json()).message).toContain('Nobody could answer');
      return;
    }
    expect(answer.statusCode).toBe(200);
    expect(answer.body.match(/^event: .*$/gm)).toEqual(['event: message_start', 'event: ping', 'event: error']);
    const { text, hasEnded, error } = driver.readStream(answer.body);
    expect({ text, hasEnded, message: driver.readError(error).message }).toEqual({
      text: '',
      hasEnded: false,
      message: expect.stringContaining('Nobody could answer'),
    });
    expect(streamEndsOf(answer.body)).toEqual(['error']);
  });
});
