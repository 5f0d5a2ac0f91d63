import type { StoredFiles } from '../../../core/stored-files.ts';
import type { Batch, ItemResult, Jobs } from '../../../jobs/jobs.ts';
import { notesOf, toResultLine } from './from-core.ts';

const maxNameLength = 100;

/**
 * Writes the files of a batch that has ended: results of what was answered, and errors of all else. It may be done again, also
 * after a kill in the middle: a file that is there already stays as it is.
 */
export async function writeResults(
  { files, jobs }: { files: Pick<StoredFiles, 'receive'>; jobs: Pick<Jobs, 'results'> },
  batch: Batch,
  owner: string,
): Promise<void> {
  const notes = notesOf(batch);
  const { counts } = batch;
  const write = async (id: string, kind: 'output' | 'error', isIn: (result: ItemResult) => boolean) => {
    const received = await files.receive(linesOf(batch, jobs.results(batch.id), isIn), Number.POSITIVE_INFINITY);
    await received.keep({
      id,
      owner,
      name: `${batch.id.slice(0, maxNameLength)}_${kind}.jsonl`,
      purpose: 'batch_output',
      expiresAfterMs: notes.output_expires_after_ms,
    });
  };
  const isAnswer = ({ state }: ItemResult) => state === 'succeeded';
  if (counts.succeeded > 0) await write(notes.output_file_id, 'output', isAnswer);
  if (counts.total > counts.succeeded) await write(notes.error_file_id, 'error', (result) => !isAnswer(result));
}

async function* linesOf(
  { id }: Batch,
  portions: AsyncIterable<ItemResult[]>,
  isIn: (result: ItemResult) => boolean,
): AsyncGenerator<Uint8Array> {
  for await (const results of portions) {
    const lines = results.filter(isIn).map((result) => toResultLine(id, result));
    if (lines.length > 0) yield Buffer.from(lines.join(''));
  }
}
