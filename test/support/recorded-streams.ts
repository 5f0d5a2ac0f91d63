import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sseOf } from './fake-anthropic/fake-anthropic.ts';
import type { Json } from './fake-anthropic/rules.ts';
import { fakeCredentials } from './fake-bedrock/fake-bedrock.ts';
import { eventFrame } from './fake-bedrock/frames.ts';
import { converseEvents, fakeAnswer } from './fake-bedrock/model.ts';
import { claude, nova } from './fake-bedrock/provider.ts';
import { toyAnswer } from './fake-openai/toy-model.ts';
import { toChunks } from './fake-openai/wording.ts';
import { repositoryRoot } from './server.ts';

/** A record or frame of a stream, and the text of the answer in it. */
export interface RecordedRecord {
  bytes: Buffer;
  text: string;
}

/** Each wire over which a provider streams. */
export type Wire =
  | 'Anthropic'
  | 'OpenAI chat'
  | 'OpenAI completions'
  | 'OpenAI Responses'
  | 'Bedrock ConverseStream'
  | 'Bedrock InvokeModel';

const claudeEvents = eventsOf('anthropic-stream/text.sse');
const toSse = (event: Json): RecordedRecord => ({ bytes: Buffer.from(sseOf([event])), text: textOf(event) });

/** A whole answer of one text, as each wire has it. */
export const recordedStreams: Readonly<Record<Wire, readonly RecordedRecord[]>> = {
  Anthropic: claudeEvents.map(toSse),
  'OpenAI chat': openAiRecords({ messages: [], model: 'toy', max_tokens: 6 }),
  'OpenAI completions': openAiRecords({ prompt: '', model: 'toy', max_tokens: 6 }),
  'OpenAI Responses': eventsOf('transcripts/openai-responses/text.txt').map(toSse),
  'Bedrock ConverseStream': converseEvents(fakeAnswer({ max_tokens: 6 })).map(([name, payload]) => ({
    bytes: eventFrame(name, payload),
    text: textOf(payload),
  })),
  'Bedrock InvokeModel': claudeEvents.map((event) => ({
    bytes: eventFrame('chunk', { bytes: Buffer.from(JSON.stringify(event)).toString('base64'), p: 'abc' }),
    text: textOf(event),
  })),
};

/** Who streams: a section of the configuration, over which wires requests for its model come back. */
export const streamingProviders = [
  { type: 'anthropic', model: 'claude-sonnet-4-5', api_key: 'sk-ant-fake' },
  { type: 'openai', model: 'toy', api_key: 'sk-canary-openai' },
  { type: 'bedrock', model: claude, region: fakeCredentials.region, api_key: fakeCredentials.bearerKey },
  { type: 'bedrock', model: nova, region: fakeCredentials.region, api_key: fakeCredentials.bearerKey },
] as const;

/** Its section, at this upstream. */
export function sectionOf(
  { model, ...section }: (typeof streamingProviders)[number],
  { origin }: Pick<ReplayServer, 'origin'>,
): Record<string, unknown> {
  return { ...section, base_url: section.type === 'openai' ? `${origin}/v1` : origin, models: [{ id: model }] };
}

/** What the replaying server does with a request. */
export type Replay =
  /** Its stream up to so many bytes, and then the connection is reset, or ends as if that were all. */
  | { type: 'stream'; wire: Wire; afterBytes: number; how: 'reset' | 'end' }
  | { type: 'answer'; status: number; headers?: Record<string, string>; body: string }
  /** The connection is gone before a byte of the answer. */
  | { type: 'reset' };

/** An upstream that answers all requests as it is told. */
export interface ReplayServer {
  origin: string;
  /** Wires of the requests so far, in order. */
  asked: Wire[];
  /** Decides on each; may wait. */
  answer: (wire: Wire) => Replay | Promise<Replay>;
  close(): Promise<void>;
}

export async function startReplayServer(): Promise<ReplayServer> {
  const server = createServer(async (request, response) => {
    request.resume();
    const wire = wireOf(request.url!);
    replay.asked.push(wire);
    const answer = await replay.answer(wire);
    if (answer.type === 'reset') return void response.destroy();
    if (answer.type === 'answer') {
      return void response
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(answer.body);
    }
    const contentType = wire.startsWith('Bedrock') ? 'application/vnd.amazon.eventstream' : 'text/event-stream';
    response.writeHead(200, { 'content-type': contentType });
    const bytes = Buffer.concat(recordedStreams[answer.wire].map((record) => record.bytes));
    // Once they have left: a reset must not overtake them.
    response.write(bytes.subarray(0, answer.afterBytes), () =>
      setImmediate(() => (answer.how === 'end' ? response.end() : response.destroy())),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const replay: ReplayServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answer: () => ({ type: 'reset' }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return replay;
}

function wireOf(url: string): Wire {
  if (url.startsWith('/v1/messages')) return 'Anthropic';
  if (url === '/v1/chat/completions') return 'OpenAI chat';
  if (url === '/v1/completions') return 'OpenAI completions';
  if (url === '/v1/responses') return 'OpenAI Responses';
  if (/\/converse(-stream)?$/.test(url)) return 'Bedrock ConverseStream';
  if (/\/invoke(-with-response-stream)?$/.test(url)) return 'Bedrock InvokeModel';
  throw new Error(`no wire of a stream has ${url}`);
}

function openAiRecords(body: object): RecordedRecord[] {
  const asked = { ...body, stream_options: { include_usage: true } };
  const chunks = toChunks(asked, toyAnswer(asked), 'openai').map((chunk) => ({
    bytes: Buffer.from(`data: ${JSON.stringify(chunk, withAllCounts)}\n\n`),
    text: textOf(chunk),
  }));
  return [...chunks, { bytes: Buffer.from('data: [DONE]\n\n'), text: '' }];
}

/** Counts of OpenAI that the fake leaves out, and strict readers want. */
function withAllCounts(key: string, value: object): unknown {
  if (key === 'prompt_tokens_details') return { ...value, cache_write_tokens: 0 };
  if (key !== 'completion_tokens_details') return value;
  return { ...value, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 };
}

/** The events of a fixture, without probabilities, which readers need not add up. */
function eventsOf(path: string): Json[] {
  const text = readFileSync(join(repositoryRoot, 'test/fixtures', path), 'utf8');
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) =>
    JSON.parse(data!, (key, value) => (key === 'logprobs' ? [] : value)),
  );
}

// biome-ignore lint/suspicious/noExplicitAny: records of every wire, read by hand
function textOf({ delta, choices, type }: any): string {
  if (choices) return choices[0]?.delta?.content ?? choices[0]?.text ?? '';
  if (type === 'response.output_text.delta') return delta;
  return delta?.text ?? '';
}
