import { afterEach, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../src/core/chat.ts';
import type { Dialect } from '../../src/core/content.ts';
import { AppError } from '../../src/core/errors.ts';
import type { ProviderEvent } from '../../src/core/events.ts';
import type { KeptAnswerRequest, Provider } from '../../src/core/provider.ts';
import { promptUsage } from '../../src/core/usage.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';
import { createHarness, type Harness, sseRecords } from './harness.ts';

let harness: Harness;
afterEach(() => harness.close());

const start: ProviderEvent = { type: 'start', responseId: 'r', model: 'm1', usage: promptUsage(1, 0), warnings: [] };
const content: ProviderEvent[] = [
  { type: 'text-start', blockId: 0 },
  { type: 'text-delta', blockId: 0, text: 'hi' },
];
const finish: ProviderEvent = {
  type: 'finish',
  reason: 'stop',
  rawReason: null,
  stopSequence: null,
  usage: promptUsage(1, 0),
  timings: { queueMs: null, prefillMs: null, decodeMs: null },
};
const head = (contentType: string): ProviderEvent => ({
  type: 'relay-head',
  status: 200,
  headers: { 'content-type': contentType, 'request-id': 'req_upstream' },
});
const piece = (text: string): ProviderEvent => ({ type: 'relay', bytes: Buffer.from(text) });

/** A provider of the cloud that has the model `far-model` and takes bodies of this dialect as they come. */
async function setup(dialect: Dialect, events: (ProviderEvent | Error)[]) {
  const requests: ChatRequest[] = [];
  const script = scriptedProvider(events);
  const provider = scriptedProvider([], {
    id: 'far',
    commitsAt: 'content',
    nameOf: (model) => (model === 'far-model' ? model : null),
    relays: (original) => original.dialect === dialect,
    stream(request, context) {
      requests.push(request);
      return script.stream(request, context);
    },
  });
  harness = await createHarness({}, {}, [provider]);
  return requests;
}

const bodies = {
  '/v1/chat/completions': {
    dialect: 'openai',
    body: {
      model: 'far-model',
      messages: [{ role: 'user', content: [{ type: 'hologram', data: 1 }] }],
      new_field: { a: 1 },
    },
  },
  '/v1/completions': { dialect: 'openai', body: { model: 'far-model', prompt: { hologram: 1 } } },
  '/v1/responses': { dialect: 'openai', body: { model: 'far-model', input: [{ type: 'hologram' }], new_field: 1 } },
  '/v1/messages': {
    dialect: 'anthropic',
    body: {
      model: 'far-model',
      max_tokens: 5,
      messages: [{ role: 'user', content: [{ type: 'hologram' }] }],
      speed: 'fast',
    },
  },
} as const;

describe.each(Object.entries(bodies))('a body for a provider of its own dialect, at %s', (path, { dialect, body }) => {
  it('passes byte for byte, with what we do not know, and so does its answer', async () => {
    const answer = '{ "whatever":  [1.0, "upstream", {"likes": true}] }';
    const requests = await setup(dialect, [
      head('application/json'),
      piece(answer.slice(0, 9)),
      start,
      ...content,
      piece(answer.slice(9)),
      finish,
    ]);
    const sent = `${JSON.stringify(body, null, 3)} `;
    const response = await harness.send('POST', path, sent, {
      'anthropic-beta': 'x-2026',
      'content-type': 'application/json',
    });
    expect(response.statusCode).toBe(200);
    expect(response.body).toBe(answer);
    expect(response.headers).toMatchObject({ 'request-id': 'req_upstream', 'x-provider-used': 'far' });
    expect(response.headers).not.toHaveProperty('x-hearth-ignored');
    const { original } = requests[0]!;
    expect(Buffer.from(original!.bytes).toString()).toBe(sent);
    expect(original).toMatchObject({ dialect, path, body, headers: { 'anthropic-beta': 'x-2026' } });
    expect(original!.headers).not.toHaveProperty('authorization');
  });

  it('passes as a stream, with the bytes of the answer as they come', async () => {
    const pieces = ['event: a\ndata: {"x":1}\n\n', 'data: {"y" : 2}\n\n'];
    await setup(dialect, [head('text/event-stream'), piece(pieces[0]!), start, ...content, piece(pieces[1]!), finish]);
    const response = await harness.send('POST', path, { ...body, stream: true });
    expect(response.headers['content-type']).toBe('text/event-stream');
    expect(response.body).toBe(pieces.join(''));
  });

  it('ends with the words of the provider where that fails after its first content', async () => {
    const upstream = { provider: 'far', dialect, status: 529, headers: {}, body: { error: { odd: 'words' } } } as const;
    const failure = new AppError('upstream_overloaded', 'busy', { upstream });
    await setup(dialect, [head('text/event-stream'), start, ...content, piece('data: {"x":1}\n\n'), failure]);
    const { body: text } = await harness.send('POST', path, { ...body, stream: true });
    expect(text.startsWith('data: {"x":1}\n\n')).toBe(true);
    expect(text).toContain('data: {"error":{"odd":"words"}}\n\n');
    expect(text).not.toContain('[DONE]');
  });

  it('is refused in the words of the provider where that refuses it', async () => {
    const upstream = {
      provider: 'far',
      dialect,
      status: 418,
      headers: { 'retry-after': '7' },
      body: { odd: 'words' },
    } as const;
    await setup(dialect, [new AppError('upstream_refused', 'no', { upstream })]);
    const response = await harness.send('POST', path, body);
    expect(response.statusCode).toBe(418);
    expect(response.json()).toEqual({ odd: 'words' });
    expect(response.headers['retry-after']).toBe('7');
  });

  it.each([
    ['too long', `far/${'x'.repeat(1_025)}`],
    ['of characters that do not show', 'far/a\u0000b\nc'],
    ['empty', 'far/'],
    ['no text', 5],
  ])('is refused for a name that no model can have: %s', async (_title, model) => {
    const requests = await setup(dialect, [head('application/json'), start, ...content, piece('{}'), finish]);
    const response = await harness.send('POST', path, { ...body, model }, { 'x-provider': 'far' });
    expect(response.statusCode).toBe(400);
    expect(requests).toEqual([]);
  });

  it('is held to the schema where it stays here', async () => {
    await setup(dialect, [start]);
    const response = await harness.send('POST', path, { ...body, model: 'near-model' });
    expect(response.statusCode).toBe(400);
    const kept = await harness.send('POST', path, body, { 'x-cloud': 'never' });
    expect(kept.statusCode).toBe(400);
  });
});

describe('a body for a provider of another dialect', () => {
  it('is translated, and keeps no original', async () => {
    const requests = await setup('openai', [start, ...content, { type: 'text-end', blockId: 0 }, finish]);
    const message = { model: 'far-model', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] };
    const response = await harness.send('POST', '/v1/messages', message);
    expect(response.json()).toMatchObject({ type: 'message', content: [{ type: 'text', text: 'hi' }] });
    expect(requests[0]!.original).toBeUndefined();
  });
});

describe('what a request says of where it may go', () => {
  const message = { model: 'near-model', messages: [{ role: 'user', content: 'hi' }] };

  it.each<[string, object, Record<string, string>, string]>([
    ['a word that there is not', {}, { 'x-cloud': 'maybe' }, 'X-Cloud'],
    ['a wrong value in the body', { cloud: 'maybe' }, {}, 'cloud'],
    ['no time at all', {}, { 'x-deadline-ms': '0' }, 'X-Deadline-Ms'],
    ['a provider that does not exist', {}, { 'x-provider': 'nobody' }, 'X-Provider'],
    ['a body that stays and a header that leaves', { cloud: false }, { 'x-cloud': 'require' }, 'cloud'],
    ['a body that leaves and a header that stays', { cloud: true }, { 'x-cloud': 'never' }, 'cloud'],
    ['a model that may not be asked here', { model: 'far-model' }, { 'x-cloud': 'never' }, 'X-Cloud'],
  ])('is refused for %s', async (_title, fields, headers, param) => {
    await setup('openai', [start]);
    const response = await harness.send('POST', '/v1/chat/completions', { ...message, ...fields }, headers);
    expect(response.statusCode).toBe(400);
    expect(response.json().error.param).toBe(param);
  });

  it.each<[string, object, Record<string, string>, string]>([
    ['X-Provider', {}, { 'x-provider': 'far' }, 'far'],
    ['the model', { model: 'far-model' }, {}, 'far'],
    ['a prefix of the model', { model: 'far/anything' }, {}, 'far'],
    ['nothing', {}, {}, 'local'],
  ])('counts when it is %s', async (_title, fields, headers, provider) => {
    await setup('anthropic', [start, ...content, { type: 'text-end', blockId: 0 }, finish]);
    const response = await harness.send('POST', '/v1/chat/completions', { ...message, ...fields }, headers);
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-provider-used']).toBe(provider);
  });
});

describe('what header and body say of the cloud', () => {
  const message = { model: 'near-model', messages: [{ role: 'user', content: 'hi' }] };

  it.each<[boolean | string, string, string]>([
    [false, 'allow', 'local'],
    ['allow', 'never', 'local'],
    [true, 'allow', 'far'],
    ['allow', 'require', 'far'],
    ['never', 'never', 'local'],
  ])('is the stricter of both: cloud %j, X-Cloud %s', async (cloud, header, provider) => {
    const requests = await setup('openai', [head('application/json'), start, ...content, piece('{}'), finish]);
    // It has every model, so that who is asked is told by the marks alone.
    const model = provider === 'far' ? 'far-model' : 'near-model';
    const body = { ...message, model, cloud };
    const response = await harness.send('POST', '/v1/chat/completions', body, { 'x-cloud': header });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-provider-used']).toBe(provider);
    expect(response.headers).not.toHaveProperty('x-hearth-ignored');
    // No service knows the field.
    for (const { original } of requests) expect(Buffer.from(original!.bytes).toString()).not.toContain('cloud');
  });
});

describe('a count of tokens', () => {
  const body =
    '{ "model":"far-model",  "messages":[{"role":"user","content":[{"type":"hologram"}]}], "new_field": 1.50 }';
  const json = { 'content-type': 'application/json' };

  async function open(count: Provider['count']) {
    const requests: ChatRequest[] = [];
    const provider = scriptedProvider([], {
      id: 'far',
      nameOf: (model) => (model === 'far-model' ? model : null),
      relays: ({ dialect, path }) => dialect === 'anthropic' && path === '/v1/messages/count_tokens',
      count(request, context) {
        requests.push(request);
        return count(request, context);
      },
    });
    harness = await createHarness({}, {}, [provider]);
    return requests;
  }

  it('of Anthropic’s dialect passes as it came, and is told in the words of the provider', async () => {
    const answer = { input_tokens: 7, context_management: { original_input_tokens: 9 }, new_field: {} };
    const requests = await open(async ({ model }) => ({ model, promptTokens: 7, answer }));
    const response = await harness.send('POST', '/v1/messages/count_tokens', body, json);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual(answer);
    expect(response.headers).not.toHaveProperty('x-hearth-estimated');
    expect(Buffer.from(requests[0]!.original!.bytes).toString()).toBe(body);
  });

  it('is refused in the words of the provider', async () => {
    const upstream = {
      provider: 'far',
      dialect: 'anthropic',
      status: 413,
      headers: {},
      body: { odd: 'words' },
    } as const;
    await open(async () => {
      throw new AppError('upstream_refused', 'no', { upstream });
    });
    const response = await harness.send('POST', '/v1/messages/count_tokens', body, json);
    expect(response.statusCode).toBe(413);
    expect(response.json()).toEqual({ odd: 'words' });
  });

  it.each([
    ['/v1/messages/count_tokens', { messages: [{ role: 'user', content: 'x'.repeat(30) }] }],
    ['/v1/chat/completions/input_tokens', { messages: [{ role: 'user', content: 'x'.repeat(30) }] }],
    ['/v1/responses/input_tokens', { input: 'x'.repeat(30) }],
  ])('is an estimate at %s where the provider counts none, which a header says', async (path, fields) => {
    await open(async () => {
      throw new AppError('not_supported', 'It counts none.', { field: 'model' });
    });
    const response = await harness.send('POST', path, { model: 'far-model', ...fields });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-hearth-estimated']).toBe('input_tokens');
    expect(response.json().input_tokens).toBeGreaterThanOrEqual(10);
    const here = await harness.send('POST', path, { model: 'here', ...fields });
    expect(here.json().input_tokens).toBe(5);
    expect(here.headers).not.toHaveProperty('x-hearth-estimated');
  });
});

describe('a response that a provider keeps', () => {
  const first: ProviderEvent = { ...start, responseId: 'resp_far' } as ProviderEvent;
  const script = [head('application/json'), piece('{"id":"resp_far"}'), first, ...content, finish];
  const relaying = (id: string, changes: Partial<Provider> = {}) =>
    scriptedProvider(script, {
      id,
      commitsAt: 'content',
      nameOf: (model) => (model === 'far-model' || model === `${id}-model` ? model : null),
      relays: ({ dialect }) => dialect === 'openai',
      ...changes,
    });
  /** A provider that is asked about what it keeps, and answers with this. */
  function keeping(answer: { status?: number; type?: string; pieces: (string | Error)[] } | Error) {
    const asked: KeptAnswerRequest[] = [];
    const provider = relaying('far', {
      async askKept(request) {
        asked.push(request);
        if (answer instanceof Error) throw answer;
        const { status = 200, type = 'application/json', pieces } = answer;
        async function* bytes() {
          for (const one of pieces) {
            if (one instanceof Error) throw one;
            yield Buffer.from(one);
          }
        }
        return { status, headers: { 'content-type': type, 'x-request-id': 'req_far' }, bytes: bytes() };
      },
    });
    return { provider, asked };
  }
  const as = (key: string) => ({ 'x-api-key': key });
  const ask = (key: string, more: object = {}) =>
    harness.send('POST', '/v1/responses', { model: 'far-model', input: 'Hi', ...more }, as(key));

  it('is gone on from by the key that was given it, and by no other', async () => {
    const provider = relaying('far');
    harness = await createHarness({ apiKeys: ['one', 'two'] }, {}, [provider]);
    expect((await ask('one')).statusCode).toBe(200);
    expect((await ask('one', { previous_response_id: 'resp_far' })).statusCode).toBe(200);
    const refused = await ask('two', { previous_response_id: 'resp_far' });
    expect(refused.statusCode).toBe(404);
    expect(refused.json().error).toMatchObject({ param: 'previous_response_id' });
    expect(provider.asked).toBe(2);
  });

  it('is gone on from at that provider, whoever else has the model', async () => {
    const [far, near] = [relaying('far'), relaying('near')];
    harness = await createHarness({ apiKeys: ['one'] }, {}, [near, far]);
    const second = await harness.send('POST', '/v1/responses', { model: 'far/far-model', input: 'Hi' }, as('one'));
    expect(second.headers['x-provider-used']).toBe('far');
    const next = await ask('one', { previous_response_id: 'resp_far' });
    expect(next.headers['x-provider-used']).toBe('far');
    expect([far.asked, near.asked]).toEqual([2, 0]);
    for (const more of [{ model: 'near-model' }, { model: 'here-model' }]) {
      const refused = await ask('one', { ...more, previous_response_id: 'resp_far' });
      expect(refused.statusCode).toBe(400);
      expect(refused.json().error).toMatchObject({ param: 'previous_response_id' });
      expect(refused.json().error.message).toContain('"far"');
    }
    expect([far.asked, near.asked]).toEqual([2, 0]);
  });

  it('is one of ours where it was made here, and what was said goes along to whoever is asked next', async () => {
    const provider = relaying('far');
    const requests: ChatRequest[] = [];
    const listening = { ...provider, stream: recording(requests, provider.stream) };
    harness = await createHarness({ apiKeys: ['one'] }, {}, [listening]);
    const here = await harness.send('POST', '/v1/responses', { model: 'here', input: 'Hi' }, as('one'));
    expect(here.statusCode).toBe(200);
    const next = await ask('one', { previous_response_id: here.json().id, input: 'And now?' });
    expect(next.statusCode).toBe(200);
    expect(requests[0]!.original).toBeUndefined();
    expect(requests[0]!.input).toMatchObject({
      messages: [{ role: 'user' }, { role: 'assistant' }, { role: 'user' }],
    });
  });

  it.each([
    ['GET', '/v1/responses/resp_far', { method: 'get', path: '/v1/responses/resp_far', isStream: false }],
    [
      'GET',
      '/v1/responses/resp_far?include[]=a&stream=true&starting_after=3',
      { method: 'get', path: '/v1/responses/resp_far?include[]=a&stream=true&starting_after=3', isStream: true },
    ],
    ['DELETE', '/v1/responses/resp_far', { method: 'delete', path: '/v1/responses/resp_far' }],
    ['POST', '/v1/responses/resp_far/cancel', { method: 'post', path: '/v1/responses/resp_far/cancel' }],
    [
      'GET',
      '/v1/responses/resp_far/input_items?limit=2&order=asc',
      { method: 'get', path: '/v1/responses/resp_far/input_items?limit=2&order=asc' },
    ],
  ] as const)('is asked about there (%s %s), and its answer passes as it came', async (method, url, expected) => {
    const { provider, asked } = keeping({ pieces: ['{ "odd":', '  1.50 }'] });
    harness = await createHarness({ apiKeys: ['one', 'two'] }, {}, [provider]);
    await ask('one');
    const response = await harness.send(method, url, undefined, as('one'));
    expect(response.statusCode).toBe(200);
    expect(response.body).toBe('{ "odd":  1.50 }');
    expect(response.headers).toMatchObject({ 'x-request-id': 'req_far', 'x-provider-used': 'far' });
    expect(asked).toEqual([{ dialect: 'openai', isStream: false, ...expected }]);

    const others = await harness.send(method, url, undefined, as('two'));
    const unknown = await harness.send(method, url.replace('resp_far', 'resp_none'), undefined, as('one'));
    expect([others.statusCode, unknown.statusCode]).toEqual([404, 404]);
    expect(others.json().error.message.replace('resp_far', 'resp_none')).toBe(unknown.json().error.message);
    expect(asked).toHaveLength(1);
  });

  it('is unknown here once it was deleted there', async () => {
    const { provider, asked } = keeping({ pieces: ['{}'] });
    harness = await createHarness({ apiKeys: ['one'] }, {}, [provider]);
    await ask('one');
    await harness.send('DELETE', '/v1/responses/resp_far', undefined, as('one'));
    const gone = await harness.send('GET', '/v1/responses/resp_far', undefined, as('one'));
    expect(gone.statusCode).toBe(404);
    expect(asked).toHaveLength(1);
  });

  it('is refused in the words of its provider', async () => {
    const body = { error: { message: 'No such response', type: 'x', param: null, code: null } };
    const upstream = { provider: 'far', dialect: 'openai', status: 404, headers: {}, body } as const;
    const { provider } = keeping(new AppError('upstream_refused', 'no', { upstream }));
    harness = await createHarness({ apiKeys: ['one'] }, {}, [provider]);
    await ask('one');
    const response = await harness.send('GET', '/v1/responses/resp_far', undefined, as('one'));
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual(body);
  });

  it('is not asked about where nothing may leave, and says so where its provider is gone', async () => {
    const { provider, asked } = keeping({ pieces: ['{}'] });
    const cloud = [provider];
    harness = await createHarness({ apiKeys: ['one'] }, {}, cloud);
    await ask('one');
    const kept = { ...provider };
    delete kept.askKept;
    cloud.splice(0, 1, kept);
    const gone = await harness.send('GET', '/v1/responses/resp_far', undefined, as('one'));
    expect(gone.statusCode).toBe(404);
    expect(gone.json().error.message).toContain('"far"');
    cloud.splice(0, 1);
    const forbidden = await harness.send('GET', '/v1/responses/resp_far', undefined, as('one'));
    expect(forbidden.statusCode).toBe(403);
    expect(asked).toEqual([]);
  });

  const events = [0, 1, 2].map((number) => `event: x\ndata: {"type":"x","sequence_number":${number}}\n\n`);
  const broken = new AppError('upstream_unavailable', 'It broke.');

  it('goes on with its numbers where its stream breaks', async () => {
    await setup('openai', [
      head('text/event-stream'),
      piece(events.slice(0, 2).join('')),
      start,
      ...content,
      piece(events[2]!),
      broken,
    ]);
    const asked = await harness.send('POST', '/v1/responses', { model: 'far-model', input: 'Hi', stream: true });
    const records = sseRecords(asked.body);
    expect(records.map(({ data }) => JSON.parse(data).sequence_number)).toEqual([0, 1, 2, 3]);
    expect(JSON.parse(records.at(-1)!.data)).toMatchObject({ type: 'error', message: 'It broke.' });
  });

  it('does so too where the stream is one that is asked for again', async () => {
    const { provider } = keeping({ type: 'text/event-stream', pieces: [events.join(''), broken] });
    harness = await createHarness({ apiKeys: ['one'] }, {}, [provider]);
    await ask('one');
    const again = await harness.send('GET', '/v1/responses/resp_far?stream=true', undefined, as('one'));
    const records = sseRecords(again.body);
    expect(records.map(({ data }) => JSON.parse(data).sequence_number)).toEqual([0, 1, 2, 3]);
  });

  it('ends with the record of its provider where that told of the failure itself', async () => {
    const record = 'event: response.failed\ndata: {"type":"response.failed", "sequence_number":7}\n\n';
    const upstream = {
      provider: 'far',
      dialect: 'openai',
      status: 500,
      headers: {},
      body: { error: {} },
      record,
    } as const;
    const failure = new AppError('upstream_unavailable', 'no', { upstream });
    await setup('openai', [head('text/event-stream'), piece(events[0]!), start, ...content, failure]);
    const { body } = await harness.send('POST', '/v1/responses', { model: 'far-model', input: 'Hi', stream: true });
    expect(body).toBe(events[0]! + record);
  });
});

/** The same stream, whose requests are noted. */
function recording(requests: ChatRequest[], stream: Provider['stream']): Provider['stream'] {
  return (request, context) => {
    requests.push(request);
    return stream(request, context);
  };
}
