import type { PullWish } from '../core/pull.ts';
import { plainLine, progressLine, shownBytes } from './progress.ts';
import type { PullView, StoreClient } from './store-client.ts';

/** Where a command writes. */
export interface Terminal {
  write(text: string): void;
  fail(text: string): void;
  /** A person watches, so a line may be written over. */
  isInteractive: boolean;
}

/**
 * Pulls a model and shows its plan, its progress and its end. `interrupted` resolves when the person wants to leave: a
 * pull in a server goes on then, one in this process stops where it can go on. Resolves with the exit code. Rejects
 * with the `AppError` that refused the pull.
 */
export async function pullModel(
  store: StoreClient,
  wish: PullWish,
  terminal: Terminal,
  interrupted: Promise<void>,
): Promise<number> {
  const pull = await store.pull(wish);
  terminal.write(`${pull.model} from ${pull.repository}, ${shownBytes(pull.totalBytes)}\n`);
  if (pull.planMessage !== null) terminal.write(`${pull.planMessage}\n`);
  const last = await Promise.race([show(store, pull, terminal), interrupted.then(() => null)]);
  if (terminal.isInteractive) terminal.write('\n');
  if (last === null) {
    terminal.fail(
      store.outlivesUs
        ? `The server goes on with it; "hearth pulls" shows it, "hearth pulls --cancel ${pull.id}" stops it.`
        : 'Stopped. The same command goes on where it was.',
    );
    return 130;
  }
  if (last.state === 'done') {
    terminal.write(`${last.model} is ready.\n`);
    return 0;
  }
  const { message, fix } = last.error ?? { message: `The pull is ${last.state}.`, fix: null };
  terminal.fail(fix === null ? message : `${message} ${fix}`);
  return 1;
}

async function show(store: StoreClient, begun: PullView, terminal: Terminal): Promise<PullView> {
  let last = begun;
  let key: string | null = null;
  for await (const pull of store.follow(begun.id)) {
    last = pull;
    if (terminal.isInteractive) {
      // To the start of the line, and away with what was longer.
      terminal.write(`\r${progressLine(pull)}\u001b[K`);
      continue;
    }
    const plain = plainLine(pull, key);
    if (plain === null) continue;
    key = plain.key;
    terminal.write(`${plain.line}\n`);
  }
  return last;
}
