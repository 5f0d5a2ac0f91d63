import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import { ask } from './api.ts';
import { type Failure, failureOf, wasAborted } from './failure.ts';

/** What was asked for, as far as it is there. Values stay while they are asked for again. */
export interface Loaded<Value> {
  value: Value | null;
  failure: Failure | null;
  isLoading: boolean;
  reload(): void;
}

/** Asks for something when `deps` change, and for nothing while `path` is null. A later answer never gives way to an earlier one. */
export function useLoaded<Value>(
  path: string | null,
  query: Record<string, string | number | boolean | null | undefined> = {},
  deps: readonly unknown[] = [],
): Loaded<Value> {
  const value = useSignal<Value | null>(null);
  const failure = useSignal<Failure | null>(null);
  const isLoading = useSignal(path !== null);
  const running = useRef<AbortController | null>(null);
  const wanted = `${path} ${JSON.stringify(query)}`;
  const loadedFor = useRef(path);
  const reload = useCallback(() => {
    running.current?.abort();
    if (path === null) return;
    const own = new AbortController();
    running.current = own;
    // Of another thing nothing is shown until its own answer comes.
    if (loadedFor.current !== path) value.value = null;
    loadedFor.current = path;
    isLoading.value = true;
    ask<Value>(path, { query, signal: own.signal })
      .then((answer) => {
        if (running.current !== own) return;
        value.value = answer;
        failure.value = null;
        isLoading.value = false;
      })
      .catch((thrown: unknown) => {
        if (running.current !== own || wasAborted(thrown)) return;
        failure.value = failureOf(thrown);
        isLoading.value = false;
      });
  }, [wanted]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [wanted, ...deps]);
  return { value: value.value, failure: failure.value, isLoading: isLoading.value, reload };
}
