import { AppError } from '../../core/errors.ts';

/**
 * What a dialect calls the fields of the core: path to name. The longest path that leads to a field counts. What follows
 * it stays (`'input.messages': 'messages'` makes `messages.0.content` of `input.messages.0.content`) unless it ends with
 * `.*`, which gives one name to all that is there. A field that nothing leads to keeps its name.
 */
export type FieldNames = Readonly<Record<string, string>>;

/** Fields that all our dialects name alike. */
export const sharedNames: FieldNames = {
  maxTokens: 'max_tokens',
  keepAliveMs: 'keep_alive',
  promptCache: 'cache_prompt',
  'routing.provider': 'X-Provider',
  'routing.chain': 'X-Failover-Chain',
  'routing.cloud': 'X-Cloud',
  'sampling.temperature': 'temperature',
  'sampling.topP': 'top_p',
  'sampling.topK': 'top_k',
  'sampling.minP': 'min_p',
  'sampling.seed': 'seed',
  'sampling.repeatPenalty': 'repeat_penalty',
  'sampling.frequencyPenalty': 'frequency_penalty',
  'sampling.presencePenalty': 'presence_penalty',
  'sampling.logitBias': 'logit_bias',
  'sampling.ignoreEnd': 'ignore_eos',
  'sampling.minTokens': 'min_tokens',
  'sampling.xtc': 'xtc_probability',
  'sampling.dry': 'dry_multiplier',
};

/** Those of a request for vectors, in either of our dialects. */
export const embeddingNames: FieldNames = { ...sharedNames, inputs: 'input' };

/**
 * The error of a provider, who knows core paths only, with its field named as the client wrote it. Where that is an item
 * of a list, the text names it too: which of many texts is too long must reach readers of the text alone.
 */
export function inDialect(error: AppError, names: FieldNames): AppError {
  if (error.field === null) return error;
  const field = clientField(error.field, names);
  const isItem = /\.\d+(\.|$)/.test(field);
  if (field === error.field && !isItem) return error;
  const { code, message, fix, retryAfterSeconds, details, upstream, cause } = error;
  return new AppError(code, isItem ? `"${field}": ${message}` : message, {
    field,
    ...(fix !== null && { fix }),
    ...(retryAfterSeconds !== null && { retryAfterSeconds }),
    ...(details !== null && { details }),
    ...(upstream !== null && { upstream }),
    ...(cause !== undefined && { cause }),
  });
}

/** What the client calls a field of the core. */
export function clientField(path: string, names: FieldNames): string {
  const parts = path.split('.');
  for (let length = parts.length; length > 0; length--) {
    const known = parts.slice(0, length).join('.');
    const name = names[known];
    if (name !== undefined) return [name, ...parts.slice(length)].join('.');
    const nameOfAll = names[`${known}.*`];
    if (nameOfAll !== undefined) return nameOfAll;
  }
  return path;
}
