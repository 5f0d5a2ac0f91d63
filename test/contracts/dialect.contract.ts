import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { StreamEvent } from '../../src/core/events.ts';
import { createHarness, type Harness } from '../http/harness.ts';
import {
  answerEvents,
  finishEvent,
  startEvent,
  textEvents,
  toolCallEvents,
  untilAborted,
} from '../support/fake-engine.ts';

/** What the suite asks for; a driver words it in its dialect. */
export interface Ask {
  /** The text of the one user turn. */
  prompt: string;
  stream: boolean;
  model?: string;
  maxTokens?: number;
  stop?: string[];
  tools?: { name: string; description: string; parameters: Record<string, unknown> }[];
  /** `required`: some call; a name: a call of that tool. */
  toolChoice?: 'required' | { name: string };
  /** At most one call. */
  isSingleCall?: true;
  /** The answer must keep to this JSON Schema. */
  schema?: Record<string, unknown>;
}

/** An answer as a client of the dialect reads it. */
export interface ReadAnswer {
  text: string;
  reasoning: string;
  /** `id`: null where the dialect has none. */
  calls: { id: string | null; name: string; arguments: unknown }[];
  model: string;
  /** Why it ended, in the dialect's word; null: it does not say, or has not ended. */
  reason: string | null;
  /** Tokens. `prompt` includes the cached ones; null: the dialect does not tell. */
  usage: { prompt: number | null; cached: number | null; output: number | null; total: number | null } | null;
}

export interface ReadStream extends ReadAnswer {
  /** The dialect's mark of a whole answer has come. */
  hasEnded: boolean;
  /** The body of the error that came in the stream; null: none. */
  error: unknown;
}

export interface ReadError {
  message: string;
  /** Null where the dialect has no place for it: then the message must name it. */
  field: string | null;
}

/** One endpoint of a dialect, with how its clients write and read. */
export interface DialectDriver {
  /** Such as `openai chat`. */
  name: string;
  url: string;
  /** Where streams are asked for; left out: at `url`. */
  streamUrl?: string;
  headers?: Record<string, string>;
  streamType: 'text/event-stream' | 'application/x-ndjson';
  toBody(ask: Ask): object;
  /** Throws where the body is not in the dialect's shape. */
  readWhole(body: unknown): ReadAnswer;
  /** `text`: a whole stream, or one that was cut at the end of a record. Throws where a record is not in shape. */
  readStream(text: string): ReadStream;
  /** Reads an error in a body or in a stream; throws where it is not in the dialect's shape. */
  readError(body: unknown): ReadError;
  /** Statuses that the dialect has for those of the catalogue, where they differ. */
  statuses?: Readonly<Record<number, number>>;
  /** Words for why an answer ended. `toolCalls`: left out where the dialect has no tools. */
  reasons: { stop: string; stopSequence: string; length: string; toolCalls?: string };
  /** Names of fields in errors. `prompt`: null where the dialect's error does not name it. */
  fields: { prompt: string | null; model: string };
  /** A body with this beside what `toBody` gives is wrong, and `field` is named. */
  bad: { fields: object; field: string }[];
  /** What it can ask for beside text; the suite leaves out what it cannot. */
  can: { tools: boolean; forcedTool: boolean; singleCall: boolean; schema: boolean; reasoning: boolean };
  /** What is sent when nothing else was for 15 s; null: nothing. */
  ping: RegExp | null;
}

const tool = (name: string) => ({
  name,
  description: `Tells the ${name}.`,
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
});

/** Letters of one to four bytes, marks that join, and a character of three code points. */
const unicode = 'aé日🚀e\u0301🧑‍🚀"\\\n\u2028';

/**
 * What a client may rely on in every dialect, over the real server with scripted events at the provider's port. Each
 * endpoint that generates has a file in `dialects/` that calls it.
 */
export function runDialectContract(driver: DialectDriver): void {
  describe(`the dialect contract: ${driver.name}`, () => {
    let harness: Harness;
    let baseUrl: string;
    const sockets: Socket[] = [];

    beforeEach(async () => {
      harness = await createHarness();
      baseUrl = await harness.http.listen();
    });
    afterEach(async () => {
      for (const socket of sockets.splice(0)) socket.destroy();
      await harness.close();
    });

    const bodyOf = (ask: Partial<Ask>) => driver.toBody({ prompt: 'Hi', stream: false, ...ask });
    const post = (ask: Partial<Ask>, more: object = {}, signal?: AbortSignal, headers: Record<string, string> = {}) =>
      fetch(`${baseUrl}${(ask.stream && driver.streamUrl) || driver.url}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...driver.headers, ...headers },
        body: JSON.stringify({ ...bodyOf(ask), ...more }),
        ...(signal && { signal }),
      });
    const whole = async (ask: Partial<Ask> = {}): Promise<ReadAnswer> => {
      const response = await post({ ...ask, stream: false });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      return driver.readWhole(await response.json());
    };
    const stream = async (ask: Partial<Ask> = {}): Promise<ReadStream> => {
      const response = await post({ ...ask, stream: true });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(driver.streamType);
      return driver.readStream(textOf(await response.bytes()));
    };
    const lastRequest = () => harness.gateway.calls.at(-1)!.request;
    const lastChat = () => {
      const { input } = lastRequest();
      if (input.type !== 'chat') throw new Error('the provider was asked to continue a text');
      return input;
    };
    const play = (events: readonly StreamEvent[]) => harness.gateway.play(() => events);
    const fail = (error: AppError) =>
      harness.gateway.play(() => {
        throw error;
      });
    /** Plays these events and reads the answer both ways: they are one answer. */
    const both = async (events: readonly StreamEvent[], ask: Partial<Ask> = {}): Promise<ReadAnswer> => {
      play(events);
      const asWhole = await whole(ask);
      const { hasEnded, error, ...asStream } = await stream(ask);
      expect([hasEnded, error]).toEqual([true, null]);
      // Ids of calls may be made anew for each answer.
      const withoutIds = ({ calls, ...rest }: ReadAnswer) => ({
        ...rest,
        calls: calls.map((call) => ({ ...call, id: 0 })),
      });
      // What a stream does not tell unless asked is in the whole answer.
      const { usage } = asStream;
      expect(withoutIds({ ...asStream, usage: usage ?? asWhole.usage })).toEqual(withoutIds(asWhole));
      return asWhole;
    };
    const refused = async (response: Response, status: number): Promise<ReadError> => {
      expect(response.status).toBe(driver.statuses?.[status] ?? status);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      return driver.readError(await response.json());
    };
    /** A minute of the server's clock; what it sends meanwhile goes out. */
    const aMinute = async () => {
      for (let second = 0; second < 60; second++) {
        harness.clock.advance(1_000);
        await nextTurn();
      }
    };
    const expectNames = (error: ReadError, field: string) => expect(error.field ?? error.message).toContain(field);

    it('answers with the text, in one piece as in many', async () => {
      expect(await both(answerEvents(['Hello', ', ', '', 'world']))).toMatchObject({
        text: 'Hello, world',
        reasoning: '',
        calls: [],
        model: 'tiny',
        reason: driver.reasons.stop,
      });
      expect(lastRequest().input).toMatchObject(
        lastRequest().input.type === 'text'
          ? { prompt: 'Hi' }
          : { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] },
      );
    });

    it('answers with nothing where nothing was said', async () => {
      expect(await both(answerEvents([]))).toMatchObject({ text: '', calls: [], reason: driver.reasons.stop });
      expect(await both([startEvent(), finishEvent(0)])).toMatchObject({ text: '', calls: [] });
    });

    it('counts tokens so that they add up', async () => {
      const { usage } = await both(answerEvents(['a', 'b', 'c']));
      expect(usage).not.toBeNull();
      expect(usage!.prompt ?? 5).toBe(5);
      expect(usage!.output ?? 3).toBe(3);
      expect(usage!.cached ?? 2).toBe(2);
      expect(usage!.total ?? 8).toBe(8);
      expect([usage!.prompt, usage!.output]).not.toContain(null);
    });

    it('hands on stop strings, and says that one ended the answer', async () => {
      const finish = { ...finishEvent(1, 'stop_sequence'), stopSequence: '\n\n' } as StreamEvent;
      const answer = await both([startEvent(), ...textEvents(['Hi'], 0), finish], { stop: ['\n\n', 'END'] });
      expect(lastRequest().stop).toEqual(['\n\n', 'END']);
      expect(answer).toMatchObject({ text: 'Hi', reason: driver.reasons.stopSequence });
    });

    it.each(['length', 'context_full'] as const)(
      'hands on the most tokens, and says that the answer is cut: %s',
      async (reason) => {
        const answer = await both(answerEvents(['Once', ' upon'], reason), { maxTokens: 2 });
        expect(lastRequest().maxTokens).toBe(2);
        expect(answer.text).toBe('Once upon');
        if (reason === 'length') expect(answer.reason).toBe(driver.reasons.length);
        else expect(answer.reason).not.toBe(driver.reasons.stop);
      },
    );

    it('keeps every letter whole, whichever bytes it is made of', async () => {
      const { text } = await both(answerEvents([...unicode]), { prompt: unicode });
      expect(text).toBe(unicode);
      expect(JSON.stringify(lastRequest().input)).toContain(JSON.stringify(unicode));
    });

    it('reads a body that arrives cut at any byte', async () => {
      play(answerEvents(['ok']));
      const body = Buffer.from(JSON.stringify(bodyOf({ prompt: unicode })));
      const head = Object.entries({ 'content-type': 'application/json', ...driver.headers })
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('');
      const begin = body.indexOf(Buffer.from('é')) - 1;
      for (let cut = begin; cut <= body.length - 1; cut++) {
        const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
        sockets.push(socket);
        socket.setNoDelay(true);
        socket.write(
          `POST ${driver.url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${head}Content-Length: ${body.length}\r\n\r\n`,
        );
        socket.write(body.subarray(0, cut));
        await nextTurn();
        socket.write(body.subarray(cut));
        const chunks: Buffer[] = [];
        for await (const chunk of socket) chunks.push(chunk);
        expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 200 /);
        expect(JSON.stringify(lastRequest().input)).toContain(JSON.stringify(unicode));
      }
    });

    if (driver.can.reasoning) {
      it('keeps what was thought apart from what was said', async () => {
        const answer = await both([
          startEvent(),
          { type: 'reasoning-start', blockId: 0 },
          { type: 'reasoning-delta', blockId: 0, text: 'Let me ' },
          { type: 'reasoning-delta', blockId: 0, text: 'see.' },
          { type: 'reasoning-end', blockId: 0, signature: null },
          ...textEvents(['Yes', '.'], 1),
          finishEvent(4),
        ]);
        expect(answer).toMatchObject({ reasoning: 'Let me see.', text: 'Yes.' });
      });
    }

    if (driver.can.tools) runToolCases();
    if (driver.can.schema) {
      it('hands on the schema of the answer', async () => {
        const schema = {
          type: 'object',
          properties: { a: { const: 1 } },
          required: ['a'],
          additionalProperties: false,
        };
        expect(await both(answerEvents(['{"a":', '1}']), { schema })).toMatchObject({ text: '{"a":1}' });
        expect(lastRequest().format).toMatchObject({ type: 'json-schema', schema });
      });
    }

    function runToolCases(): void {
      const call = toolCallEvents(1, 'call_1', 'weather', ['{"ci', 'ty":"Os', 'lo"}']);

      it('hands on tools, and answers with a call', async () => {
        const tools = [tool('weather'), tool('time')];
        const answer = await both([startEvent(), ...call, finishEvent(3, 'tool_calls')], { tools });
        expect(lastChat()).toMatchObject({ tools, toolChoice: { type: 'auto' } });
        expect(answer).toMatchObject({
          text: '',
          calls: [{ name: 'weather', arguments: { city: 'Oslo' } }],
          reason: driver.reasons.toolCalls,
        });
      });

      it('keeps the text before a call, and a call without arguments', async () => {
        const events = [
          startEvent(),
          ...textEvents(['Let me look.'], 0),
          ...toolCallEvents(1, 'call_1', 'time', []),
          finishEvent(5, 'tool_calls'),
        ];
        expect(await both(events, { tools: [tool('time')] })).toMatchObject({
          text: 'Let me look.',
          calls: [{ name: 'time', arguments: {} }],
        });
      });

      it('gives several calls in their order, told apart', async () => {
        const second = toolCallEvents(2, 'call_2', 'weather', ['{"city":"', 'Rome"}']);
        const answer = await both([startEvent(), ...call, ...second, finishEvent(6, 'tool_calls')], {
          tools: [tool('weather')],
        });
        expect(answer.calls.map(({ arguments: given }) => given)).toEqual([{ city: 'Oslo' }, { city: 'Rome' }]);
        const ids = answer.calls.flatMap(({ id }) => (id === null ? [] : [id]));
        expect(new Set(ids).size).toBe(ids.length);
      });

      if (driver.can.forcedTool) {
        it('hands on that a call must come, and of which tool', async () => {
          const tools = [tool('weather'), tool('time')];
          await both([startEvent(), ...call, finishEvent(3, 'tool_calls')], { tools, toolChoice: 'required' });
          expect(lastChat().toolChoice).toEqual({ type: 'required' });
          await both([startEvent(), ...call, finishEvent(3, 'tool_calls')], { tools, toolChoice: { name: 'weather' } });
          expect(lastChat().toolChoice).toEqual({ type: 'tool', name: 'weather' });
        });
      }
      if (driver.can.singleCall) {
        it('hands on that one call is enough', async () => {
          const tools = [tool('weather')];
          await both([startEvent(), ...call, finishEvent(3, 'tool_calls')], { tools, isSingleCall: true });
          expect(lastChat().parallelToolCalls).toBe(false);
          await both([startEvent(), ...call, finishEvent(3, 'tool_calls')], { tools });
          expect(lastChat().parallelToolCalls ?? true).toBe(true);
        });
      }
    }

    describe.each([false, true])('with stream %s', (isStream) => {
      it('says that a prompt is too long, before any token', async () => {
        const details = { prompt_tokens: 9_000, context_tokens: 8_192 };
        fail(
          new AppError('context_length_exceeded', 'The prompt has 9000 tokens of 8192.', { field: 'input', details }),
        );
        const error = await refused(await post({ stream: isStream }), 400);
        if (driver.fields.prompt !== null) expectNames(error, driver.fields.prompt);
      });

      it('says that there is no such model', async () => {
        fail(new AppError('model_not_found', 'There is no model "missing".', { field: 'model' }));
        const error = await refused(await post({ stream: isStream, model: 'missing' }), 404);
        expectNames(error, driver.fields.model);
        expect(error.message).toContain('missing');
      });

      it.each(driver.bad)('refuses $fields by name', async ({ fields, field }) => {
        expectNames(await refused(await post({ stream: isStream }, fields), 400), field);
        expect(harness.gateway.calls).toEqual([]);
      });

      it.each(['x-provider', 'x-failover-chain'])('refuses who is not there: %s', async (header) => {
        const response = await post({ stream: isStream }, {}, undefined, { [header]: 'nowhere' });
        expect((await refused(response, 400)).message).toContain('nowhere');
        expect(harness.gateway.calls).toEqual([]);
      });

      it('ends its request when the client leaves before the first event', async () => {
        harness.gateway.play(async function* (_request, signal) {
          yield await untilAborted(signal);
        });
        const client = new AbortController();
        const asked = post({ stream: isStream }, {}, client.signal);
        const call = await harness.gateway.call(0);
        expect(call.context.signal.aborted).toBe(false);
        client.abort();
        await expect(asked).rejects.toThrow();
        await call.released;
        expect(call.context.signal.reason).toMatchObject({ code: 'client_closed_request' });
      });

      it('ends its request when the client leaves in the middle', async () => {
        harness.gateway.play(async function* (_request, signal) {
          yield startEvent();
          yield* textEvents(['Hel'], 0).slice(0, -1);
          yield await untilAborted(signal);
        });
        const client = new AbortController();
        const asked = post({ stream: isStream }, {}, client.signal);
        const call = await harness.gateway.call(0);
        if (isStream) {
          const { body } = await asked;
          await readUntil(body!.getReader(), /Hel/);
        } else asked.catch(() => {});
        client.abort();
        await call.released;
        expect(call.context.signal.reason).toMatchObject({ code: 'client_closed_request' });
      });

      it('waits for a provider that says nothing for a minute before its first event', async () => {
        const gate = Promise.withResolvers<void>();
        harness.gateway.play(async function* () {
          await gate.promise;
          yield* answerEvents(['late']);
        });
        const asked = isStream ? stream() : whole();
        await harness.gateway.call(0);
        await aMinute();
        gate.resolve();
        expect(await asked).toMatchObject({ text: 'late', reason: driver.reasons.stop });
        expect(harness.gateway.calls).toHaveLength(1);
      });
    });

    it('says in the stream that an answer failed after its first token, and does not end it as a whole one', async () => {
      harness.gateway.play(async function* () {
        yield startEvent();
        yield* textEvents(['Hel', 'lo'], 0).slice(0, -1);
        throw new AppError('worker_crashed', 'The model stopped.', { retryAfterSeconds: 2 });
      });
      const { text, hasEnded, reason, error } = await stream();
      expect({ text, hasEnded, reason }).toEqual({ text: 'Hello', hasEnded: false, reason: null });
      expect(driver.readError(error).message).toContain('The model stopped.');
      // Whole, nothing of it was sent yet.
      const response = await post({});
      expect(response.headers.get('retry-after')).toBe('2');
      expect((await refused(response, 503)).message).toContain('The model stopped.');
    });

    it('tells nothing of a fault of its own', async () => {
      harness.gateway.play(async function* () {
        yield startEvent();
        yield* textEvents(['Hel'], 0).slice(0, -1);
        throw new Error('secret at /home/someone/model.gguf');
      });
      const { error } = await stream();
      expect(driver.readError(error).message).not.toMatch(/secret|home/);
      expect((await refused(await post({}), 500)).message).not.toMatch(/secret|home/);
    });

    it('keeps a stream open while its provider says nothing for a minute', async () => {
      const gate = Promise.withResolvers<void>();
      harness.gateway.play(async function* () {
        yield startEvent();
        yield* textEvents(['slow'], 0).slice(0, -1);
        await gate.promise;
        yield* textEvents(['ly'], 0).slice(1);
        yield finishEvent(2);
      });
      const { body } = await post({ stream: true });
      const reader = body!.getReader();
      let text = await readUntil(reader, /slow/);
      await aMinute();
      const { signal } = harness.gateway.calls[0]!.context;
      expect(signal.aborted).toBe(false);
      gate.resolve();
      text += await readUntil(reader, null);
      if (driver.ping !== null) expect(text.split(driver.ping).length - 1).toBe(4);
      expect(driver.readStream(text)).toMatchObject({ text: 'slowly', hasEnded: true, error: null });
    });
  });
}

/** Bytes as text; throws where they are not UTF-8. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/** What is read until it matches; null: until the end. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, pattern: RegExp | null): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  while (pattern === null || !pattern.test(text)) {
    const { done, value } = await reader.read();
    if (done) {
      if (pattern !== null) throw new Error(`the stream ended before ${pattern} came: ${text}`);
      break;
    }
    text += decoder.decode(value, { stream: true });
  }
  return text;
}
