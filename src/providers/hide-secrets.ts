import { inspect } from 'node:util';
import type { ProviderConfig } from '../config/providers.ts';
import { redacted } from '../config/secret.ts';
import { AppError } from '../core/errors.ts';
import { layered } from '../core/flow.ts';
import type { Provider } from '../core/provider.ts';
import type { ProviderBatches } from '../core/provider-batch.ts';

/** Shorter ones would be found in words that mean something else. */
const shortestSecret = 8;

/**
 * A provider whose failures show none of its keys. Services, and what stands between us and them, may repeat in a failure
 * what they were sent, head and all; its text reaches clients and the log.
 */
export function hidingSecrets(provider: Provider, config: Pick<ProviderConfig, 'apiKey' | 'headers'>): Provider {
  const secrets = [config.apiKey, ...Object.values(config.headers)]
    .flatMap((one) => (one === null ? [] : [one.reveal()]))
    // A header may hold more than the key: `Bearer …`.
    .flatMap((text) => [text, ...text.split(/\s+/)])
    .filter((text) => text.length >= shortestSecret)
    .sort((a, b) => b.length - a.length);
  if (secrets.length === 0) return provider;
  const hide = (text: string) => secrets.reduce((shown, one) => shown.replaceAll(one, redacted), text);
  const shown = (thrown: unknown) => (thrown instanceof AppError ? withoutSecrets(thrown, hide) : thrown);
  const whole =
    <Arguments extends unknown[], Result>(call: (...args: Arguments) => Promise<Result>) =>
    (...args: Arguments): Promise<Result> =>
      call(...args).catch((thrown: unknown) => {
        throw shown(thrown);
      });
  const each =
    <Arguments extends unknown[], Piece>(call: (...args: Arguments) => AsyncIterable<Piece>) =>
    (...args: Arguments): AsyncIterable<Piece> =>
      layered<Piece>(call(...args), { failed: shown });
  const batchesWithout = (batches: ProviderBatches): ProviderBatches => ({
    ...batches,
    read(...given) {
      try {
        return each(batches.read)(...given);
      } catch (thrown) {
        throw shown(thrown);
      }
    },
    submit: whole(batches.submit),
    find: whole(batches.find),
    progress: whole(batches.progress),
    results: each(batches.results),
    cancel: whole(batches.cancel),
    forget: whole(batches.forget),
  });
  return {
    ...provider,
    stream: each(provider.stream),
    embed: whole(provider.embed),
    rank: whole(provider.rank),
    decide: whole(provider.decide),
    count: whole(provider.count),
    tokens: whole(provider.tokens),
    models: whole(provider.models),
    ...(provider.askKept && { askKept: whole(provider.askKept) }),
    ...(provider.probe && { probe: whole(provider.probe) }),
    ...(provider.batches && { batches: batchesWithout(provider.batches) }),
  };
}

/** The same error where it holds no secret, so that whoever compares finds it; else a copy without. */
function withoutSecrets(error: AppError, hide: (text: string) => string): AppError {
  const { upstream } = error;
  const { body, headers, record } = upstream ?? {};
  const told = { message: error.message, details: error.details, body, headers, record };
  const cause = causeOf(error.cause, hide);
  const text = JSON.stringify(told);
  if (hide(text) === text && cause === error.cause) return error;
  const shown = hidden(told, hide) as typeof told;
  return new AppError(error.code, shown.message, {
    ...(error.field !== null && { field: error.field }),
    ...(error.fix !== null && { fix: error.fix }),
    ...(error.retryAfterSeconds !== null && { retryAfterSeconds: error.retryAfterSeconds }),
    ...(shown.details && { details: shown.details }),
    ...(upstream && {
      upstream: {
        ...upstream,
        headers: shown.headers ?? {},
        body: shown.body ?? null,
        ...(shown.record !== undefined && { record: shown.record }),
      },
    }),
    ...(cause !== undefined && { cause }),
  });
}

/** A cause is for the log, which shows all that hangs on it. */
function causeOf(cause: unknown, hide: (text: string) => string): unknown {
  if (cause === undefined) return undefined;
  const text = inspect(cause, { depth: 8, maxStringLength: 65_536 });
  const shown = hide(text);
  return shown === text ? cause : new Error(shown);
}

function hidden(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === 'string') return hide(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => hidden(item, hide));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [hide(name), hidden(item, hide)]));
}
