import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { AppError, toAppError } from '../../core/errors.ts';
import { viaHeader } from '../../core/hops.ts';
import type { BatchWish } from '../../jobs/jobs.ts';
import { refuseExcess } from '../fields/json.ts';

/** Headers that say something of every item of a batch; credentials never. */
const passing = /^(anthropic-(version|beta)|openai-beta)$/;

/**
 * What of a request that makes a batch goes with each of its items: the version of its API, where it may go, and through which
 * servers it came, so that none of them goes in a circle.
 */
export function itemHeaders({ headers, wish }: Pick<FastifyRequest, 'headers' | 'wish'>): Record<string, string> {
  const { hops, routing } = wish;
  const { provider, chain, cloud } = routing;
  const entries = Object.entries(headers).filter(([name]) => passing.test(name));
  return {
    ...Object.fromEntries(entries.map(([name, value]) => [name, [value].flat().join(',')])),
    ...(provider !== null && { 'x-provider': provider }),
    ...(chain !== null && { 'x-failover-chain': chain }),
    ...(cloud !== null && { 'x-cloud': cloud }),
    ...(hops.length > 0 && { [viaHeader]: hops.join(',') }),
  };
}

const webhookHeader = 'X-Webhook-URL';

/** Whom a request that makes a batch wants told of its end, for the wish of the batch; its API may have a field of its own. */
export function webhookOf({ headers }: Pick<FastifyRequest, 'headers'>): Pick<BatchWish, 'webhook'> {
  const url = [headers[webhookHeader.toLowerCase()] ?? []].flat().join(', ').trim();
  return url === '' ? {} : { webhook: { url, field: webhookHeader } };
}

/** The body of an item as its route takes it. Throws `payload_too_large` and `invalid_request` as that route would. */
export function itemBody(body: Readonly<Record<string, unknown>>, { mostBytes }: { mostBytes: number }): string {
  const text = JSON.stringify(body);
  if (Buffer.byteLength(text) > mostBytes) {
    throw new AppError('payload_too_large', `It is larger than the ${mostBytes} bytes of one request.`);
  }
  refuseExcess(text);
  return text;
}

/** Characters of a conversation that count for what items have in common. */
const comparedCharacters = 1_000;

/**
 * Tells what a prompt begins with, and nothing of its text: `fixed` (system prompt, tools) first, then the beginning of
 * `rest`. Items with the same come one after the other.
 */
export function prefixOf(fixed: unknown, rest: unknown): string {
  const digest = (value: string) => createHash('sha256').update(value).digest('hex').slice(0, 16);
  return digest(JSON.stringify(fixed ?? null)) + digest(JSON.stringify(rest ?? null).slice(0, comparedCharacters));
}

/** What is wrong with one item of a batch, so that its client finds it. `path`: where its fields stand in the body. */
export function inItem(
  thrown: unknown,
  { index, customId, path }: { index: number; customId: string; path: string },
): AppError {
  const error = toAppError(thrown);
  const { code, message, field, fix, details } = error;
  // A fault of ours is none of the item's.
  if (error.status >= 500) return error;
  return new AppError(code, `Request ${index} ("${customId}"): ${message}`, {
    field: field === null ? path : `${path}.${field}`,
    ...(fix !== null && { fix }),
    details: { ...details, index, custom_id: customId },
    cause: thrown,
  });
}
