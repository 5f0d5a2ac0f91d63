import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type RoutingWish, stricterCloud } from '../../core/call.ts';
import { AppError } from '../../core/errors.ts';
import { assertNoLoop, readHops, viaHeader } from '../../core/hops.ts';
import { atOnce } from './hooks.ts';

const longestDeadlineMs = 24 * 3_600_000;

/**
 * Reads, before a schema sees the body, where a request may go and until when: `X-Provider`, `X-Failover-Chain`, `X-Cloud` (`never`, `allow`, `require`), `X-Deadline-Ms`, and `cloud` in its body, which is taken out of it: no dialect
 * knows it. It is the gateway that knows the names, and refuses those that do not exist. Answers `invalid_request` to what
 * cannot be read, and `loop_detected` to what was here before. `instance`: id of this process.
 */
export function addRouting(app: FastifyInstance, { instance }: { instance: string }): void {
  app.decorateRequest('wish');
  app.addHook(
    'preValidation',
    atOnce((request) => {
      const { headers } = request;
      const routing = {
        provider: oneOf(headers['x-provider']),
        chain: oneOf(headers['x-failover-chain']),
        cloud: cloudOfBoth(cloudOf(oneOf(headers['x-cloud']), 'X-Cloud'), cloudOfBody(request)),
      };
      const hops = readHops(oneOf(headers[viaHeader]) ?? undefined);
      assertNoLoop(hops, instance);
      request.wish = { routing, deadlineInMs: deadlineOf(oneOf(headers['x-deadline-ms'])), hops };
    }),
  );
}

/** An empty header says nothing. */
function oneOf(value: string | string[] | undefined): string | null {
  const text = Array.isArray(value) ? value.join(', ') : value;
  return text === undefined || text === '' ? null : text;
}

function cloudOfBody(request: FastifyRequest): RoutingWish['cloud'] {
  const { body, original, routeOptions } = request;
  // Where nothing is asked of a model, a body may mean something else by it.
  if (routeOptions.config.startsWork !== true) return null;
  if (typeof body !== 'object' || body === null || !('cloud' in body)) return null;
  const { cloud } = body;
  delete body.cloud;
  if (original) request.original = { ...original, bytes: Buffer.from(JSON.stringify(body)) };
  return cloudOf(cloud, 'cloud');
}

/** What header and body say together. Throws `invalid_request` where one keeps the request in the house and the other sends it out. */
export function cloudOfBoth(header: RoutingWish['cloud'], body: RoutingWish['cloud']): RoutingWish['cloud'] {
  const both = [header, body];
  if (both.includes('never') && both.includes('require')) {
    throw new AppError('invalid_request', '"X-Cloud" and "cloud" contradict each other.', {
      field: 'cloud',
      fix: 'Send one of them.',
    });
  }
  return stricterCloud(header, body);
}

/** A wish as a header or a body has it. Throws `invalid_request` that names `field`. */
export function cloudOf(value: unknown, field: string): RoutingWish['cloud'] {
  if (value === null || value === undefined) return null;
  if (value === true) return 'require';
  if (value === false) return 'never';
  if (value === 'never' || value === 'allow' || value === 'require') return value;
  throw new AppError('invalid_request', `"${field}" must be never, allow or require.`, { field });
}

function deadlineOf(text: string | null): number | null {
  if (text === null) return null;
  const milliseconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (milliseconds >= 1 && milliseconds <= longestDeadlineMs) return milliseconds;
  throw new AppError('invalid_request', `"X-Deadline-Ms" must be 1 to ${longestDeadlineMs}.`, {
    field: 'X-Deadline-Ms',
  });
}
