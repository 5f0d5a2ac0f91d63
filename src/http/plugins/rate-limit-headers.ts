import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Principal } from '../../core/call.ts';
import type { Clock } from '../../core/clock.ts';
import type { InboundLimits, WindowStatus as LimitStatus, LimitStatuses } from '../../gateway/gateway.ts';

declare module 'fastify' {
  interface FastifyReply {
    /** Sets the headers that say what is left of the limits of whoever asks; for answers that `onSend` hooks do not see. */
    tellLimits?(): void;
  }
}

/**
 * Tells, in every answer of a route that asks a model, what is left of the limits of key and address, by the names of the
 * dialect: `anthropic-ratelimit-…` at `/v1/messages`, OpenAI's at the rest of `/v1`, else `X-RateLimit-…`. Who has no limits
 * hears nothing.
 */
export function addRateLimitHeaders(
  app: FastifyInstance,
  deps: { inbound: Pick<InboundLimits, 'status'>; clock: Pick<Clock, 'now'> },
): void {
  const tell = (reply: FastifyReply) => {
    const { config, url = '' } = reply.request.routeOptions;
    if (config.scope !== 'inference' || !config.startsWork) return;
    // Of a request that was refused before its key was looked at, nobody knows who asks.
    const principal: Principal | undefined = reply.request.principal;
    if (principal === undefined) return;
    const statuses = deps.inbound.status(principal);
    if (statuses !== null) reply.headers(headersOf(statuses, url, deps.clock.now()));
  };
  app.decorateReply('tellLimits', function (this: FastifyReply) {
    tell(this);
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    tell(reply);
    done(null, payload);
  });
}

function headersOf(statuses: LimitStatuses, url: string, now: Date): Record<string, string> {
  const requests = leastOf(statuses.requestsPerMinute, statuses.requestsPerDay);
  const tokens = statuses.tokensPerMinute;
  const inTime = ({ resetMs }: LimitStatus) => new Date(now.getTime() + resetMs);
  if (/^\/v1\/messages(\/|$)/.test(url)) {
    return {
      ...named(
        requests,
        (part) => `anthropic-ratelimit-requests-${part}`,
        (status) => rfc3339(inTime(status)),
      ),
      ...named(
        tokens,
        (part) => `anthropic-ratelimit-tokens-${part}`,
        (status) => rfc3339(inTime(status)),
      ),
    };
  }
  if (url.startsWith('/v1/')) {
    return {
      ...named(
        requests,
        (part) => `x-ratelimit-${part}-requests`,
        ({ resetMs }) => goDuration(resetMs),
      ),
      ...named(
        tokens,
        (part) => `x-ratelimit-${part}-tokens`,
        ({ resetMs }) => goDuration(resetMs),
      ),
    };
  }
  return named(
    requests ?? tokens,
    (part) => `x-ratelimit-${part}`,
    (status) => String(Math.ceil(inTime(status).getTime() / 1_000)),
  );
}

function leastOf(one: LimitStatus | null, other: LimitStatus | null): LimitStatus | null {
  if (one === null || other === null) return one ?? other;
  return other.remaining < one.remaining ? other : one;
}

function named(
  status: LimitStatus | null,
  name: (part: 'limit' | 'remaining' | 'reset') => string,
  reset: (status: LimitStatus) => string,
): Record<string, string> {
  if (status === null) return {};
  return {
    [name('limit')]: String(status.limit),
    [name('remaining')]: String(status.remaining),
    [name('reset')]: reset(status),
  };
}

function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** As Go writes durations: `0s`, `120ms`, `8.64s`, `1m0s`, `23h59m59s`. */
function goDuration(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole === 0) return '0s';
  if (whole < 1_000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
