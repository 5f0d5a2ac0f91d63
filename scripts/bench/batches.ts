import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { sendJson } from './client.ts';

const endpoint = '/v1/chat/completions';
const pollMs = 20;
const file = z.object({ id: z.string() });
const batch = z.object({
  id: z.string(),
  status: z.string(),
  request_counts: z.object({ completed: z.number(), failed: z.number() }),
});

/** A batch as the OpenAI API shows it. */
export type Batch = z.infer<typeof batch>;

/** Makes a batch of these bodies of chat completions, through the OpenAI API of a server on this machine. */
export async function createBatch(baseUrl: string, bodies: readonly object[]): Promise<Batch> {
  const lines = bodies.map((body, n) =>
    JSON.stringify({ custom_id: `item-${n}`, method: 'POST', url: endpoint, body }),
  );
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob([lines.join('\n')]), 'items.jsonl');
  const sent = await fetch(`${baseUrl}/v1/files`, { method: 'POST', body: form });
  if (sent.status !== 200) throw new Error(`the file of a batch: status ${sent.status}: ${await sent.text()}`);
  const { id } = file.parse(await sent.json());
  return ask(`${baseUrl}/v1/batches`, { input_file_id: id, endpoint, completion_window: '24h' });
}

/** Waits until a batch fulfils the condition. */
export async function waitForBatch(baseUrl: string, { id }: Batch, isSo: (now: Batch) => boolean): Promise<Batch> {
  for (;;) {
    const now = await ask(`${baseUrl}/v1/batches/${id}`);
    if (isSo(now)) return now;
    await pause(pollMs);
  }
}

export function hasEnded({ status }: Pick<Batch, 'status'>): boolean {
  return ['completed', 'failed', 'expired', 'cancelled'].includes(status);
}

/** Ends a batch early and waits until nothing of it runs. */
export async function cancelBatch(baseUrl: string, made: Batch): Promise<void> {
  await ask(`${baseUrl}/v1/batches/${made.id}/cancel`, {});
  await waitForBatch(baseUrl, made, hasEnded);
}

async function ask(url: string, body?: object): Promise<Batch> {
  const { status, body: answer } = await sendJson(url, body === undefined ? 'GET' : 'POST', body);
  if (status !== 200) throw new Error(`${url}: status ${status}: ${JSON.stringify(answer)}`);
  return batch.parse(answer);
}
