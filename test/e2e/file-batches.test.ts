import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers } from '../support/answers.ts';
import { collect } from '../support/collect.ts';
import { errorLines, type RunningServer, startServer } from '../support/server.ts';

const question = 'What is Hearth?';
const endpoint = '/v1/chat/completions';
const clientOf = ({ baseUrl }: RunningServer) =>
  new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: 'any-key', maxRetries: 0 });

/** So many requests, the first of which are answered by a text that is known. */
const requests = (count: number, maxTokens: number) =>
  Array.from({ length: count }, (_, index) => ({
    custom_id: `mail-${index}`,
    method: 'POST',
    url: endpoint,
    body: {
      model: 'default',
      temperature: 0,
      messages: [{ role: 'user', content: index < 3 ? question : `What is Hearth? (${index})` }],
      max_tokens: index < 3 ? 200 : maxTokens,
    },
  }));

async function begin(client: OpenAI, lines: readonly object[]): Promise<OpenAI.Batch> {
  const text = lines.map((line) => JSON.stringify(line)).join('\n');
  const { id } = await client.files.create({ file: await toFile(Buffer.from(text), 'a.jsonl'), purpose: 'batch' });
  return client.batches.create({ input_file_id: id, endpoint, completion_window: '24h' });
}
async function untilEnded(client: OpenAI, id: string): Promise<OpenAI.Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch;
    await pause(100);
  }
}
interface ResultLine {
  custom_id: string;
  response: { status_code: number; body: OpenAI.ChatCompletion } | null;
  error: { code: string } | null;
}
async function linesOf(client: OpenAI, fileId: string | null | undefined): Promise<ResultLine[]> {
  if (!fileId) return [];
  const text = await (await client.files.content(fileId)).text();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ResultLine);
}

describe('batches by the official OpenAI SDK', () => {
  let server: RunningServer;
  let client: OpenAI;
  beforeAll(async () => {
    server = await startServer();
    client = clientOf(server);
  });
  afterAll(() => server?.stop());

  it('of 200 requests are made, followed and read', async () => {
    const begun = await begin(client, requests(200, 3));
    expect(begun).toMatchObject({ status: 'in_progress', request_counts: { total: 200 } });
    const batch = await untilEnded(client, begun.id);
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 200, completed: 200, failed: 0 } });
    expect(batch.usage!.output_tokens).toBeGreaterThanOrEqual(200);
    const lines = await linesOf(client, batch.output_file_id);
    expect(new Set(lines.map(({ custom_id }) => custom_id)).size).toBe(200);
    const first = lines.find(({ custom_id }) => custom_id === 'mail-0')!.response!;
    // As it would be by itself: what runs beside it does not move it.
    expect([first.status_code, first.body.choices[0]!.message.content]).toEqual([200, answers[question]]);
    expect((await collect(client.batches.list({ limit: 1 }))).map(({ id }) => id)).toContain(begun.id);
    expect(errorLines(server)).toEqual([]);
  });

  it('are cancelled, and what there is of results stays', async () => {
    const begun = await begin(client, requests(500, 100));
    while ((await client.batches.retrieve(begun.id)).request_counts!.completed === 0) await pause(20);
    expect(['cancelling', 'cancelled']).toContain((await client.batches.cancel(begun.id)).status);
    const batch = await untilEnded(client, begun.id);
    expect(batch.status).toBe('cancelled');
    const [output, errors] = [await linesOf(client, batch.output_file_id), await linesOf(client, batch.error_file_id)];
    expect(output).toHaveLength(batch.request_counts!.completed);
    expect(output.length + errors.length).toBe(500);
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_cancelled']));
  });

  it('say of each line what is wrong with it', async () => {
    const [good] = requests(1, 3);
    const batch = await begin(client, [good!, good!, { ...good, custom_id: 'b', url: '/v1/embeddings' }]);
    expect(batch.status).toBe('failed');
    expect(batch.errors!.data!.map(({ code, line, param }) => [code, line, param])).toEqual([
      ['duplicate_custom_id', 2, 'custom_id'],
      ['url_mismatch', 3, 'url'],
    ]);
  });
});

describe('a batch of a server that is killed', () => {
  it('goes on with the next one, and every request is in its files once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-batch-kill-'));
    let server = await startServer({ args: ['--data', folder] });
    try {
      const { id } = await begin(clientOf(server), requests(60, 20));
      for (let kills = 0; kills < 3; kills++) {
        const before = (await clientOf(server).batches.retrieve(id)).request_counts!.completed;
        const isFurther = async () => {
          const { status, request_counts: counts } = await clientOf(server).batches.retrieve(id);
          return status === 'completed' || counts!.completed > before + 3;
        };
        while (!(await isFurther())) await pause(20);
        await server.stop('SIGKILL');
        server = await startServer({ args: ['--data', folder] });
      }
      const client = clientOf(server);
      const batch = await untilEnded(client, id);
      expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 60, completed: 60, failed: 0 } });
      const lines = await linesOf(client, batch.output_file_id);
      expect(lines.map(({ custom_id }) => custom_id).sort()).toEqual(
        requests(60, 20)
          .map(({ custom_id }) => custom_id)
          .sort(),
      );
      expect((await collect(client.files.list({ purpose: 'batch_output' }))).map((file) => file.id)).toEqual([
        batch.output_file_id,
      ]);
    } finally {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
