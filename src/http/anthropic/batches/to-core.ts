import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../../core/errors.ts';
import type { BatchWish, NewItem } from '../../../jobs/jobs.ts';
import { mayBeModel } from '../../fields/model-name.ts';
import { validationError } from '../../fields/validation.ts';
import { inItem, itemBody, itemHeaders, prefixOf, webhookOf } from '../../inner/inner.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { idempotencyKeyOf } from '../../plugins/idempotency.ts';
import { cloudOf, cloudOfBoth } from '../../plugins/routing.ts';
import { messagesBody, messagesToCore } from '../messages/messages.ts';
import { versionOf } from '../objects/version.ts';
import type { BatchBody } from './schema.ts';

export const api = 'anthropic';
const path = '/v1/messages';
const expiresInMs = 24 * 3_600_000;
/** So many characters are looked at before others have their turn; each request counts as some more, however short it is. */
const charactersAtOnce = 512 * 1_024;
const charactersOfOne = 10 * 1_024;

/**
 * What a batch asks for. Every request is looked at as `/v1/messages` would, before anything is stored; the first that is not
 * valid is named in the error, by its place, its id and its field. `told`: who is told of its end.
 */
export async function toWish(
  { requests }: BatchBody,
  request: FastifyRequest,
  deps: Pick<RouteDeps, 'config' | 'gateway' | 'routing' | 'clock'>,
  told = webhookOf(request),
): Promise<BatchWish> {
  versionOf(request);
  const items: NewItem[] = [];
  let charactersOfTurn = 0;
  const ids = new Map<string, number>();
  const digest = createHash('sha256');
  for (const [index, { custom_id: customId, params }] of requests.entries()) {
    const known = ids.get(customId);
    if (known !== undefined) {
      const field = `requests.${index}.custom_id`;
      throw new AppError('invalid_request', `"${field}" is "${customId}", as is that of request ${known}.`, {
        field,
        details: { index, custom_id: customId },
      });
    }
    ids.set(customId, index);
    try {
      const item = toItem(customId, params, request, deps);
      digest.update(`${customId} ${item.body}\n`);
      items.push(item);
    } catch (error) {
      throw inItem(error, { index, customId, path: `requests.${index}.params` });
    }
    charactersOfTurn += charactersOfOne + items.at(-1)!.body.length;
    if (charactersOfTurn < charactersAtOnce) continue;
    await nextTurn();
    charactersOfTurn = 0;
  }
  const headers = itemHeaders(request);
  const key = idempotencyKeyOf(request);
  const fingerprint = () => digest.update(JSON.stringify([headers, told])).digest('hex');
  return {
    idPrefix: 'msgbatch_',
    owner: request.principal,
    api,
    path,
    headers,
    items,
    expiresInMs,
    notes: {},
    idempotency: key === null ? null : { key, fingerprint: fingerprint() },
    ...told,
  };
}

function toItem(
  customId: string,
  params: Record<string, unknown>,
  request: FastifyRequest,
  deps: Pick<RouteDeps, 'config' | 'gateway' | 'routing' | 'clock'>,
): NewItem {
  const { bodyLimitBytes: mostBytes, dropAttribution: leavesOut } = deps.config.server;
  const body = itemBody(params, { mostBytes });
  if ((params['stream'] ?? false) !== false) {
    throw new AppError('invalid_request', '"stream" is not possible in a batch.', {
      field: 'stream',
      fix: 'Leave it out.',
    });
  }
  const cloud = cloudOf(params['cloud'], 'cloud');
  const result = messagesBody.safeParse(params);
  const named = typeof params['model'] === 'string' && params['model'] !== '' ? params['model'] : null;
  const together = cloudOfBoth(request.wish.routing.cloud, cloud);
  if (named === null || !mayRelay(named, together, request, deps)) {
    if (!result.success) throw validationError(result.error.issues);
    messagesToCore(result.data, { version: versionOf(request), leavesOut });
  }
  const prefix = prefixOf([params['system'], params['tools']], params['messages']);
  return { customId, model: named ?? 'default', body, prefix, cloud };
}

/** Whether somebody may be asked who takes the request as it is, and may know more of it than we do. */
function mayRelay(
  model: string,
  cloud: ReturnType<typeof cloudOf>,
  { wish, principal }: FastifyRequest,
  deps: Pick<RouteDeps, 'gateway' | 'routing'>,
): boolean {
  if (!mayBeModel(model)) return false;
  const routing = { ...wish.routing, cloud };
  return deps.gateway.mayRelay({ dialect: 'anthropic', path }, model, { routing, config: deps.routing(), principal });
}
