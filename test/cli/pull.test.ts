import { describe, expect, it } from 'vitest';
import type { PullView } from '../../src/cli/client.ts';
import { plainLine, progressLine } from '../../src/cli/progress.ts';
import { pullModel } from '../../src/cli/pull.ts';
import { commandSayer } from '../../src/core/say-command.ts';

const view = (changes: Partial<PullView> = {}): PullView => ({
  id: 'pull-1',
  model: 'Tiny:q4_0',
  repository: 'maker/tiny-GGUF',
  state: 'downloading',
  totalBytes: 4_000_000_000,
  receivedBytes: 1_000_000_000,
  bytesPerSecond: null,
  planMessage: 'Fits: 4.5 GB of 8.0 GB.',
  notes: [],
  error: null,
  ...changes,
});

describe('a line of progress', () => {
  it.each([
    [{}, '[######..................]  25 %  1.0 GB of 4.0 GB'],
    [{ bytesPerSecond: 5e6 }, '[######..................]  25 %  1.0 GB of 4.0 GB  5 MB/s  10 min left'],
    [{ bytesPerSecond: 4e5 }, '[######..................]  25 %  1.0 GB of 4.0 GB  400 kB/s  2 h 5 min left'],
    [
      { state: 'waiting', notes: ['the next try is in 4 s'] },
      '[######..................]  25 %  1.0 GB of 4.0 GB  waiting: the next try is in 4 s',
    ],
    [{ state: 'verifying', receivedBytes: 4e9 }, '[########################] 100 %  4.0 GB of 4.0 GB  checking'],
    [{ totalBytes: 4e9, receivedBytes: 3_999_999_999 }, '[#######################.]  99 %  4.0 GB of 4.0 GB'],
  ])('of %j is %s', (changes, line) => {
    expect(progressLine(view(changes))).toBe(line);
  });

  it('in a file comes once for each tenth and each state', () => {
    const first = plainLine(view(), null);
    expect(first?.line).toBe('downloading: 1.0 GB of 4.0 GB');
    expect(plainLine(view({ receivedBytes: 1_100_000_000 }), first!.key)).toBeNull();
    expect(plainLine(view({ receivedBytes: 1_300_000_000 }), first!.key)?.line).toBe('downloading: 1.3 GB of 4.0 GB');
    expect(plainLine(view({ state: 'verifying' }), first!.key)?.line).toBe('verifying: 1.0 GB of 4.0 GB  checking');
  });
});

describe('the command pull', () => {
  function run(
    changes: PullView[],
    options: { interrupted?: Promise<void>; outlivesUs?: boolean; begun?: PullView } = {},
  ) {
    const written: string[] = [];
    const failures: string[] = [];
    const client: Parameters<typeof pullModel>[0] = {
      outlivesUs: options.outlivesUs ?? false,
      pull: async () => options.begun ?? view(),
      async *follow() {
        yield* changes;
        if (options.interrupted) await new Promise(() => {});
      },
    };
    const terminal = {
      write: (text: string) => void written.push(text),
      fail: (text: string) => void failures.push(text),
      note: () => {},
      isInteractive: false,
      areNotesWatched: false,
      columns: () => 80,
    };
    const ended = pullModel(
      client,
      { name: 'tiny' },
      { terminal, sayCommand: commandSayer('hearth'), interrupted: options.interrupted ?? new Promise(() => {}) },
    );
    return ended.then((code) => ({ code, text: written.join(''), failures }));
  }

  it('shows where the model comes from, its plan, its progress and its end', async () => {
    const { code, text } = await run([view(), view({ state: 'done', receivedBytes: 4e9 })]);
    expect(code).toBe(0);
    expect(text).toBe(
      'Tiny:q4_0 from maker/tiny-GGUF, 4.0 GB\nFits: 4.5 GB of 8.0 GB.\n' +
        'downloading: 1.0 GB of 4.0 GB\ndone: 4.0 GB of 4.0 GB\nTiny:q4_0 is ready.\n',
    );
  });

  it('says which quantization was chosen, and not twice what it waits for', async () => {
    const notes = ['auto chose q4_0: Q4_0 is faster'];
    const { text } = await run([view({ notes, state: 'done', receivedBytes: 4e9 })], { begun: view({ notes }) });
    expect(text).toContain('Fits: 4.5 GB of 8.0 GB.\nauto chose q4_0: Q4_0 is faster\n');
    const waiting = view({ state: 'waiting', notes: [...notes, 'the next try is in 4 s'] });
    const { text: later } = await run([waiting], { begun: waiting, interrupted: Promise.resolve() });
    expect(later.match(/the next try/g)?.length ?? 0).toBeLessThanOrEqual(1);
  });

  it('ends with 1 and the reason when the pull fails', async () => {
    const error = { message: 'The disk of the model folder is full.', fix: 'Free some space.' };
    const { code, failures } = await run([view({ state: 'failed', error })]);
    expect(code).toBe(1);
    expect(failures).toEqual(['The disk of the model folder is full. Free some space.']);
  });

  it.each([
    [true, /^The server goes on with it; "hearth pulls" shows it, "hearth pulls --cancel pull-1" stops it\.$/],
    [false, /^Stopped\. The same command goes on where it was\.$/],
  ])('that a person leaves says what becomes of the pull, in a server: %s', async (outlivesUs, message) => {
    const { code, failures } = await run([view()], { interrupted: Promise.resolve(), outlivesUs });
    expect(code).toBe(130);
    expect(failures[0]).toMatch(message);
  });
});
