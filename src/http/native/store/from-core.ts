import type { AvailableModel, PullInfo } from '../../../core/pull.ts';
import { toSnakeCase } from '../../../wire/snake-case.ts';
import type { SseItem } from '../../answer/answer.ts';

/** A pull as the native dialect shows it. */
export function toNativePull({ error, ...pull }: PullInfo) {
  const { totalBytes, receivedBytes, bytesPerSecond } = pull;
  return {
    ...toSnakeCase(pull),
    // Its details have their names already.
    error,
    // Rounded down: 100 means that everything is there.
    percent: totalBytes === 0 ? 100 : Math.floor((receivedBytes / totalBytes) * 1000) / 10,
    eta_seconds: bytesPerSecond ? Math.ceil((totalBytes - receivedBytes) / bytesPerSecond) : null,
  };
}

/** A model of the catalogue. */
export function toNativeAvailable({ contextTokens, ...model }: AvailableModel) {
  return { ...toSnakeCase(model), context_length: contextTokens };
}

/** A pull as records of an event stream: one named `progress` for every change, the last one named like the end. */
export async function* toPullRecords(
  changes: AsyncIterable<PullInfo>,
  options: { endsWithDone: boolean },
): AsyncGenerator<SseItem> {
  for await (const pull of changes) yield { event: eventOf(pull), data: toNativePull(pull) };
  if (options.endsWithDone) yield { data: '[DONE]' };
}

/** The name of a change of a pull: `progress`, or its end. */
export function eventOf({ state }: PullInfo): 'progress' | 'done' | 'failed' | 'cancelled' | 'resumable' {
  return state === 'done' || state === 'failed' || state === 'cancelled' || state === 'resumable' ? state : 'progress';
}
