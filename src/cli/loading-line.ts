import { timeLeft } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { fitLine, freshLine } from './chat/chat.ts';
import type { CommandDeps } from './command.ts';
import type { ModelClient, ModelRecords } from './model-api.ts';

const everyMs = 1_000;

/**
 * Says while a model loads how long it has been, and what it waits for, on a line that goes away; only where a person
 * watches the error stream.
 */
export function loadingLine(
  { terminal, clock }: Pick<CommandDeps, 'terminal' | 'clock'>,
  client: Pick<ModelClient, 'modelRecords'>,
  model: string,
): { stop(): void } {
  if (!terminal.areNotesWatched) return { stop() {} };
  const startMs = clock.monotonicMs();
  let isStopped = false;
  let isShown = false;
  const show = (words: string) => {
    if (isStopped) return;
    isShown = true;
    const time = timeLeft((clock.monotonicMs() - startMs) / 1_000);
    terminal.note(freshLine + fitLine(toPrintable(`${words}, ${time} so far`), terminal.columns()));
  };
  const timer = clock.every(everyMs, () => {
    client.modelRecords().then(
      (records) => show(loadingWords(records, model)),
      // Whether the load itself fails its own answer says.
      () => show(`loading ${model}`),
    );
  });
  return {
    stop() {
      isStopped = true;
      timer.cancel();
      if (isShown) terminal.note(freshLine);
    },
  };
}

/** What a load does now, as far as the list of models shows it. */
export function loadingWords({ models }: ModelRecords, model: string): string {
  const leaving = models.filter(({ state }) => state === 'unloading').map(({ name }) => name);
  return leaving.length > 0 ? `unloading ${leaving.join(', ')} to make room for ${model}` : `loading ${model}`;
}
