import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
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
import { createRoutedHarness } from '../support/routed-harness.ts';
import type { DialectDriver } from './dialect.contract.ts';
import { allDrivers } from './drivers/all.ts';
import { streamEndsOf } from './stream-ends.ts';

/** How an SDK found an answer: whole, with its text, or failed in words of the server. */
type Outcome = { text: string } | { status: number | undefined };

/** Streams as the official SDKs read them; each tells `seen` what came, and resolves with the text of a whole answer; null: it is told that it failed. */
const sdks: {
  name: string;
  ask: (baseUrl: string, model: string, seen: (text: string) => void) => Promise<string | null>;
}[] = [
  {
    name: 'messages by the SDK of Anthropic',
    async ask(baseURL, model, seen) {
      const client = new Anthropic({ baseURL, apiKey: 'any', maxRetries: 0, fetch: telling(seen) });
      const message = await client.messages.stream({ model, max_tokens: 50, messages }).finalMessage();
      return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    },
  },
  {
    name: 'chat by the SDK of OpenAI',
    async ask(baseUrl, model, seen) {
      const stream = openAi(baseUrl, seen).chat.completions.stream({ model, messages });
      return (await stream.finalChatCompletion()).choices[0]!.message.content ?? '';
    },
  },
  {
    name: 'Responses by the SDK of OpenAI',
    async ask(baseUrl, model, seen) {
      const stream = openAi(baseUrl, seen).responses.stream({ model, input: 'Hi' });
      const { status, output_text } = await stream.finalResponse();
      return status === 'failed' ? null : output_text;
    },
  },
];
const messages = [{ role: 'user' as const, content: 'Hi' }];
const openAi = (baseUrl: string, seen: (text: string) => void) =>
  new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: 'any', maxRetries: 0, fetch: telling(seen) });

/** Hands the bytes on as they came, once all of them are there. */
function telling(seen: (text: string) => void): typeof fetch {
  return async (url, init) => {
    const { status, headers, body } = await fetch(url, init);
    const text = await new Response(body).text();
    if (status === 200) seen(text);
    return new Response(text, { status, headers });
  };
}

interface Cut {
  /** As a part of the stream, or so many bytes before its end, where its last words are. */
  at: { part: number } | { beforeEndBytes: number };
  how: 'reset' | 'end';
}

const cuts: fc.Arbitrary<Cut> = fc.record({
  at: fc.oneof(
    { weight: 2, arbitrary: fc.record({ part: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.record({ beforeEndBytes: fc.nat(60) }) },
  ),
  how: fc.constantFrom('reset', 'end'),
});

function streamCut(wire: Wire, { at, how }: Cut): Replay {
  const lengthBytes = recordedStreams[wire].reduce((sum, { bytes }) => sum + bytes.length, 0);
  const afterBytes = 'part' in at ? Math.floor(at.part * lengthBytes) : Math.max(0, lengthBytes - at.beforeEndBytes);
  return { type: 'stream', wire, afterBytes, how };
}

/** Throws where it is no error of the dialect. Claude's own words for one have no details, and pass as they are. */
function messageOf(driver: DialectDriver, body: unknown): string {
  const own = z.strictObject({
    type: z.literal('error'),
    error: z.strictObject({ type: z.string(), message: z.string() }),
    request_id: z.string().nullable(),
  });
  const passed = driver.url === '/v1/messages' ? own.safeParse(body) : null;
  return passed?.success ? passed.data.error.message : driver.readError(body).message;
}

describe.each(streamingProviders)('a stream of the type $type for $model, cut at any byte', (source) => {
  let upstream: ReplayServer;
  let harness: Harness;
  let baseUrl: string;
  beforeAll(async () => {
    upstream = await startReplayServer();
    harness = await createRoutedHarness({ only: sectionOf(source, upstream) });
    baseUrl = await harness.http.listen();
  });
  afterAll(async () => {
    await harness.close();
    await upstream.close();
  });
  const wholeText = () => recordedStreams[upstream.asked.at(-1)!].map(({ text }) => text).join('');

  it.each(sdks)('is whole or fails, and nobody waits: $name', async ({ ask }) => {
    const outcomeOf = async (seen: (text: string) => void): Promise<Outcome> => {
      try {
        const text = await ask(baseUrl, source.model, seen);
        return text === null ? { status: undefined } : { text };
      } catch (error) {
        // Neither a connection that broke nor a stream in which the SDK misses its end.
        expect(error).toSatisfy((thrown) => thrown instanceof OpenAI.APIError || thrown instanceof Anthropic.APIError);
        expect(error).not.toBeInstanceOf(OpenAI.APIConnectionError);
        expect(error).not.toBeInstanceOf(Anthropic.APIConnectionError);
        return { status: (error as { status?: number }).status };
      }
    };
    await fc.assert(
      fc.asyncProperty(cuts, async (cut) => {
        harness.breakers.reset();
        upstream.answer = (wire) => streamCut(wire, cut);
        let text: string | null = null;
        const outcome = await outcomeOf((came) => {
          text = came;
        });
        if (text === null) expect(outcome).toEqual({ status: expect.toSatisfy((status) => status >= 500) });
        else expect(streamEndsOf(text)).toEqual(['text' in outcome ? 'end' : 'error']);
        if ('text' in outcome) expect(outcome.text).toBe(wholeText());
      }),
      { numRuns: 60 },
    );
  });

  it('has one end or one error in every dialect', async () => {
    const drivers = allDrivers.filter(({ url }) => source.type === 'openai' || url !== '/v1/completions');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...drivers.map(({ name }) => name)), cuts, async (name, cut) => {
        const driver = drivers.find((one) => one.name === name)!;
        harness.breakers.reset();
        upstream.answer = (wire) => streamCut(wire, cut);
        const body = driver.toBody({ prompt: 'Hi', stream: true, model: source.model });
        const answer = await harness.send('POST', driver.streamUrl ?? driver.url, body, driver.headers);
        if (answer.statusCode !== 200) {
          expect(answer.statusCode).toBeGreaterThanOrEqual(500);
          expect(messageOf(driver, answer.json())).toMatch(/./);
          // Words of our own library for whoever programs with it.
          expect(answer.body).not.toContain('hidden field');
          return;
        }
        const { text, hasEnded, error } = driver.readStream(answer.body);
        expect(streamEndsOf(answer.body)).toEqual([hasEnded ? 'end' : 'error']);
        if (hasEnded) expect({ text, error }).toEqual({ text: wholeText(), error: null });
        else expect([wholeText().startsWith(text), messageOf(driver, error) !== '']).toEqual([true, true]);
      }),
      { numRuns: 200 },
    );
  });
});
