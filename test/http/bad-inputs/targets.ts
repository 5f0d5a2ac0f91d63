import { expect } from 'vitest';

/** A file for batches that is there. */
export const batchFile = `file-${'0'.repeat(44)}`;

/** How the errors of a dialect look. */
export interface ErrorShape {
  name: string;
  /** Checks a body, and that it names the field; null: there is none to name. */
  check(body: unknown, field: string | null): void;
}

/** One endpoint that takes a body. */
export interface Target {
  method?: 'DELETE' | 'PATCH';
  url: string;
  /** What is no mistake there. */
  valid: Record<string, unknown>;
  errors: ErrorShape;
  /** Its path of what a row calls by the name of the native API; a row of another name does not apply. */
  fields: Readonly<Record<string, string>>;
  /** Where the text to answer stands; left out: nothing of the body is required. */
  required?: string;
  /** Rows of `parameters.test.ts` (`max_tokens = 0`) that are no mistake there. */
  takes?: readonly string[];
  /** A body may be left out. */
  mayBeEmpty?: true;
  /** Fields that it does not know are refused by name; left out: they are dropped and named in a header. */
  isStrict?: true;
}

const named = (path: string[], field: string | null) => (body: unknown) => {
  if (field !== null) expect(body).toHaveProperty(path, field);
};

export const openaiErrors: ErrorShape = {
  name: 'OpenAI',
  check(body, field) {
    expect(body).toEqual({
      error: {
        message: expect.any(String),
        type: expect.any(String),
        param: field ?? expect.toBeOneOf([null, expect.any(String)]),
        code: expect.any(String),
      },
      detail: expect.any(String),
    });
    expect(body).toHaveProperty('detail', (body as { error: { message: string } }).error.message);
  },
};
export const anthropicErrors: ErrorShape = {
  name: 'Anthropic',
  check(body, field) {
    expect(body).toMatchObject({
      type: 'error',
      error: { type: expect.stringMatching(/_error$|^request_too_large$/), message: expect.any(String) },
      request_id: expect.stringMatching(/^req_/),
    });
    named(['error', 'details', 'field'], field)(body);
  },
};
export const envelopeErrors: ErrorShape = {
  name: 'the envelope',
  check(body, field) {
    expect(body).toMatchObject({
      success: false,
      error: expect.any(String),
      metadata: { error_type: expect.any(String), request_id: expect.stringMatching(/^req_/) },
    });
    named(['metadata', 'field'], field)(body);
  },
};
/** One sentence has no other place for a field. */
export const ollamaErrors: ErrorShape = {
  name: 'Ollama',
  check(body, field) {
    expect(body).toEqual({ error: expect.stringContaining(field === null ? '' : `"${field}"`) });
  },
};
export const rootErrors: ErrorShape = {
  name: 'native',
  check(body, field) {
    expect(body).toEqual({
      error: {
        code: expect.stringMatching(/^[A-Z_]+$/),
        message: expect.any(String),
        details: expect.objectContaining({ request_id: expect.stringMatching(/^req_/) }),
      },
    });
    named(['error', 'details', 'field'], field)(body);
  },
};
export const apiErrors: ErrorShape = {
  name: 'native at /api/v1',
  check(body, field) {
    expect(body).toMatchObject({
      error: expect.any(String),
      detail: expect.any(String),
      status_code: expect.any(Number),
      request_id: expect.stringMatching(/^req_/),
      timestamp: expect.any(String),
    });
    named(['field'], field)(body);
  },
};

const messages = [{ role: 'user', content: 'Hi' }];
const batch = { requests: [{ custom_id: 'a', params: { model: 'tiny', max_tokens: 8, messages } }] };
const same = (...names: string[]) => Object.fromEntries(names.map((name) => [name, name]));
const loading = same('model', 'keep_alive');
const settings = same(
  ...['temperature', 'top_p', 'top_k', 'min_p', 'frequency_penalty', 'presence_penalty', 'repeat_penalty', 'seed'],
  ...['max_tokens', 'stop', 'logit_bias', 'ignore_eos', 'min_tokens', 'xtc_probability', 'xtc_threshold'],
  ...['dry_multiplier', 'dry_base', 'dry_allowed_length', 'dry_penalty_last_n', 'dry_sequence_breakers'],
  ...['stream', 'keep_alive', 'cache_prompt', 'model'],
);

const generate: Target = {
  url: '/generate',
  valid: { prompt: 'Hi' },
  errors: rootErrors,
  fields: { ...settings, ...same('prompt', 'format') },
  required: 'prompt',
  isStrict: true,
};
const nativeChat: Target = {
  ...generate,
  url: '/api/v1/chat',
  valid: { messages },
  errors: apiErrors,
  fields: { ...settings, ...same('messages', 'format') },
  required: 'messages',
};

const openaiFields = { ...settings, ...same('n', 'n_predict', 'stream_options', 'response_format') };
const openaiChat: Target = {
  url: '/v1/chat/completions',
  valid: { messages },
  errors: openaiErrors,
  fields: { ...openaiFields, ...same('messages', 'top_logprobs', 'tools', 'logprobs') },
  required: 'messages',
};
const completions: Target = {
  url: '/v1/completions',
  valid: { prompt: 'Hi' },
  errors: openaiErrors,
  fields: { ...openaiFields, ...same('prompt', 'best_of') },
  required: 'prompt',
};
const responses: Target = {
  url: '/v1/responses',
  valid: { input: 'Hi' },
  errors: openaiErrors,
  fields: {
    ...settings,
    max_tokens: 'max_output_tokens',
    ...same('input', 'top_logprobs', 'tools'),
  },
  required: 'input',
};

const anthropicSettings = {
  ...same('temperature', 'top_p', 'top_k', 'max_tokens', 'stream', 'model', 'messages', 'tools'),
};
const anthropic: Target = {
  url: '/v1/messages',
  valid: { model: 'tiny', max_tokens: 8, messages },
  errors: anthropicErrors,
  fields: { ...anthropicSettings, stop: 'stop_sequences' },
  required: 'messages',
  // No tokens: the prompt is read and kept, and nothing is said.
  takes: ['max_tokens = 0'],
};
const envelope: Target = {
  ...anthropic,
  url: '/api/v1/messages/create',
  valid: { model: 'tiny', messages },
  errors: envelopeErrors,
};

const options = Object.fromEntries(
  [
    'temperature',
    'top_p',
    'top_k',
    'min_p',
    'frequency_penalty',
    'presence_penalty',
    'repeat_penalty',
    'seed',
    'stop',
  ].map((name) => [name, `options.${name}`]),
);
const ollamaFields = {
  ...options,
  max_tokens: 'options.num_predict',
  ...same('stream', 'keep_alive', 'model', 'top_logprobs', 'logprobs', 'format'),
};
const ollamaChat: Target = {
  url: '/api/chat',
  valid: { model: 'tiny', messages },
  errors: ollamaErrors,
  fields: { ...ollamaFields, ...same('messages', 'tools') },
  // No limit, in Ollama's words.
  takes: ['max_tokens = 0', 'max_tokens = -2'],
};
const ollamaGenerate: Target = {
  ...ollamaChat,
  url: '/ollama/api/generate',
  valid: { model: 'tiny', prompt: 'Hi' },
  fields: { ...ollamaFields, ...same('prompt') },
};
/** The same endpoint for clients of the first specification. */
const seedGenerate: Target = {
  ...ollamaGenerate,
  url: '/api/generate',
  fields: { ...ollamaFields, ...same('prompt', 'temperature', 'max_tokens', 'metadata') },
  takes: [],
};
const model = same('model');
const question = { input: 'x', questions: [{ type: 'yes_no', question: 'y' }] };

/** Endpoints that generate: the parameters of an answer apply to them. */
export const generating: Target[] = [
  generate,
  { ...generate, url: '/generate/stream' },
  { ...generate, url: '/api/v1/generate', errors: apiErrors },
  { ...generate, url: '/api/v1/generate/stream', errors: apiErrors },
  nativeChat,
  openaiChat,
  completions,
  responses,
  anthropic,
  envelope,
  { ...envelope, url: '/api/v1/messages/stream' },
  ollamaChat,
  { ...ollamaChat, url: '/ollama/api/chat' },
  ollamaGenerate,
  seedGenerate,
];

const atBothMounts: Omit<Target, 'errors'>[] = [
  { url: '/batch/generate', valid: { requests: [{ prompt: 'Hi' }] }, fields: {}, required: 'requests', isStrict: true },
  { url: '/decide', valid: question, fields: loading, required: 'questions', isStrict: true },
  { url: '/models/tiny/load', valid: {}, fields: same('keep_alive'), mayBeEmpty: true, isStrict: true },
  { url: '/models/tiny/unload', valid: {}, fields: {}, mayBeEmpty: true, isStrict: true },
  { url: '/models/pull', valid: { name: 'tiny' }, fields: {}, required: 'name', isStrict: true },
  { url: '/models/import', valid: { path: '/models/x.gguf' }, fields: {}, required: 'path', isStrict: true },
  { url: '/tickets', valid: {}, fields: {}, mayBeEmpty: true, isStrict: true },
];

let madeKeys = 0;

/** Every endpoint that takes a body as JSON; a test compares the list with `/openapi.json`. */
export const targets: Target[] = [
  ...generating,
  ...atBothMounts.map((target) => ({ ...target, errors: rootErrors })),
  ...atBothMounts.map((target) => ({ ...target, url: `/api/v1${target.url}`, errors: apiErrors })),
  {
    url: '/api/v1/keys',
    // A name is good once.
    get valid() {
      return { name: `key-${++madeKeys}`, scopes: ['admin'] };
    },
    errors: apiErrors,
    fields: {},
    required: 'name',
    isStrict: true,
  },
  {
    url: '/api/v1/embeddings',
    valid: { input: 'Hi' },
    errors: apiErrors,
    fields: loading,
    required: 'input',
    isStrict: true,
  },
  {
    method: 'PATCH',
    url: '/api/v1/providers/openai',
    valid: { enabled: true },
    errors: apiErrors,
    fields: {},
    required: 'enabled',
    isStrict: true,
  },
  ...['providers/openai/test', 'providers/openai/reset', 'config/reload'].map(
    (path): Target => ({
      url: `/api/v1/${path}`,
      valid: {},
      errors: apiErrors,
      fields: {},
      mayBeEmpty: true,
      isStrict: true,
    }),
  ),
  {
    url: '/api/v1/config/validate',
    valid: { yaml: 'server: { port: 8000 }' },
    errors: apiErrors,
    fields: {},
    required: 'yaml',
    isStrict: true,
  },
  ...['/v1/rerank', '/rerank'].map(
    (url): Target => ({
      url,
      valid: { query: 'x', documents: ['y'] },
      errors: url === '/rerank' ? rootErrors : openaiErrors,
      fields: loading,
      required: 'documents',
    }),
  ),
  {
    url: '/v1/batches',
    valid: { input_file_id: batchFile, endpoint: '/v1/embeddings', completion_window: '24h' },
    errors: openaiErrors,
    fields: {},
    required: 'endpoint',
  },
  { url: '/v1/embeddings', valid: { input: 'Hi' }, errors: openaiErrors, fields: loading, required: 'input' },
  {
    url: '/v1/decisions',
    valid: { input: 'x', questions: [{ type: 'predicate', instructions: 'y' }] },
    errors: openaiErrors,
    fields: loading,
    required: 'questions',
  },
  {
    url: '/v1/systemone',
    valid: { state: 'x', questions: { a: { type: 'noul', instructions: 'y' } } },
    errors: openaiErrors,
    fields: loading,
    required: 'questions',
  },
  {
    url: '/v1/chat/completions/input_tokens',
    valid: { messages },
    errors: openaiErrors,
    fields: model,
    required: 'messages',
  },
  { url: '/v1/responses/input_tokens', valid: { input: 'Hi' }, errors: openaiErrors, fields: model },
  { url: '/v1/responses/compact', valid: { input: 'Hi' }, errors: openaiErrors, fields: model, required: 'input' },
  {
    url: '/v1/messages/count_tokens',
    valid: { model: 'tiny', messages },
    errors: anthropicErrors,
    fields: model,
    required: 'messages',
  },
  {
    url: '/api/v1/messages/count-tokens',
    valid: { model: 'tiny', messages },
    errors: envelopeErrors,
    fields: model,
    required: 'messages',
  },
  { url: '/v1/messages/batches', valid: batch, errors: anthropicErrors, fields: {}, required: 'requests' },
  { url: '/api/v1/batches/create', valid: batch, errors: envelopeErrors, fields: {}, required: 'requests' },
  { url: '/tokenize', valid: { content: 'Hi' }, errors: openaiErrors, fields: model },
  { url: '/detokenize', valid: { tokens: [72] }, errors: openaiErrors, fields: model, required: 'tokens' },
  { url: '/apply-template', valid: { messages }, errors: openaiErrors, fields: model, required: 'messages' },
  { url: '/api/embed', valid: { model: 'tiny', input: 'Hi' }, errors: ollamaErrors, fields: loading },
  { url: '/api/embeddings', valid: { model: 'tiny', prompt: 'Hi' }, errors: ollamaErrors, fields: loading },
  { url: '/api/show', valid: { model: 'tiny' }, errors: ollamaErrors, fields: model, required: 'model' },
  // What can be pulled is for the store to say.
  { url: '/api/pull', valid: { model: 'tiny' }, errors: ollamaErrors, fields: {}, required: 'model' },
  {
    url: '/api/copy',
    valid: { source: 'tiny', destination: 'mine' },
    errors: ollamaErrors,
    fields: {},
    required: 'source',
  },
  {
    url: '/api/create',
    valid: { model: 'mine', from: 'tiny' },
    errors: ollamaErrors,
    fields: model,
    required: 'model',
  },
  {
    method: 'DELETE',
    url: '/api/delete',
    valid: { model: 'tiny' },
    errors: ollamaErrors,
    fields: model,
    required: 'model',
  },
];

/** The target of an address. */
export function targetOf(url: string): Target {
  const found = targets.find((target) => target.url === url);
  if (found === undefined) throw new Error(`there is no target ${url}`);
  return found;
}

export const nameOf = ({ method, url, errors }: Target): string => `${method ?? 'POST'} ${url} (${errors.name})`;

/** The text of a valid body with a field beside it: `json` at the place of what a row calls `name`, or at a path. */
export function bodyWith({ valid, fields }: Target, name: string, json: string): string {
  const [first, ...rest] = (fields[name] ?? name).split('.');
  const value = rest.reduceRight((inner, part) => `{${JSON.stringify(part)}:${inner}}`, json);
  const { [first!]: _replaced, ...others } = valid;
  const text = JSON.stringify(others).slice(0, -1);
  return `${text}${text === '{' ? '' : ','}${JSON.stringify(first)}:${value}}`;
}
