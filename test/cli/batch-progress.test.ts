import { describe, expect, it } from 'vitest';
import { batchLine, followBatch } from '../../src/cli/batch-progress.ts';
import type { BatchView } from '../../src/cli/client.ts';

const view = (completed: number, more: Partial<BatchView> = {}): BatchView => ({
  id: 'batch_1',
  status: 'in_progress',
  endpoint: '/v1/embeddings',
  created_at: 0,
  expires_at: null,
  request_counts: { total: 20, completed, failed: 0 },
  output_file_id: null,
  error_file_id: null,
  errors: null,
  ...more,
});

async function follow(views: BatchView[], options: { isInteractive?: boolean; interrupted?: Promise<void> } = {}) {
  const written: string[] = [];
  const [begun, ...next] = views;
  const terminal = {
    write: (text: string) => void written.push(text),
    fail: () => {},
    note: () => {},
    isInteractive: options.isInteractive ?? false,
    areNotesWatched: false,
    columns: () => 80,
  };
  const client = { batch: async () => next.shift() ?? view(0) };
  const interrupted = options.interrupted ?? new Promise<void>(() => {});
  return { batch: await followBatch(client, begun!, { terminal, interrupted }), text: written.join('') };
}

describe('a batch that is followed', () => {
  it('is a line for each state and each tenth, for a file or a pipe', async () => {
    const over = view(20, { status: 'completed' });
    const { batch, text } = await follow([view(0), view(1), view(3), view(3), over]);
    expect(batch).toBe(over);
    expect(text).toBe('in_progress: 0 % of 20\nin_progress: 10 % of 20\ncompleted: 20 of 20\n');
  });

  it('is one line that is written over, for a person', async () => {
    const { text } = await follow([view(2), view(20, { status: 'completed' })], { isInteractive: true });
    expect(text).toBe('\rin_progress: 2 of 20\u001b[K\rcompleted: 20 of 20\u001b[K\n');
  });

  it('is left where the person leaves', async () => {
    expect((await follow([view(2)], { interrupted: Promise.resolve() })).batch).toBeNull();
  });

  it('shows nothing that a terminal would obey', async () => {
    const { text } = await follow([view(0, { status: '\u001b[2Jdone' }), view(20, { status: 'failed' })]);
    expect(text).not.toContain('\u001b');
  });
});

describe('a batch in a list', () => {
  it('is a line with what failed', () => {
    expect(batchLine(view(12, { request_counts: { total: 20, completed: 12, failed: 1 } }))).toBe(
      'batch_1  in_progress  13 of 20, 1 failed  /v1/embeddings',
    );
  });
});
