import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Books, booksOf } from '../support/books.ts';
import { type Clouds, cloudModels, startClouds } from '../support/clouds.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const count = 150;
const pricing = { input_per_million: 4, output_per_million: 20, regional_factor: 1 };

let folder: string;
let clouds: Clouds;
let server: RunningServer;
let books: Books;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-batches-'));
  clouds = await startClouds();
  const priced = (provider: Record<string, unknown>) => ({
    ...provider,
    models: (provider['models'] as object[]).map((model) => ({ ...model, pricing })),
  });
  const { openai, claude } = clouds.providers;
  const file = { budgets: { daily: 100 }, providers: { openai: priced(openai), claude: priced(claude) } };
  await writeFile(join(folder, 'hearth.yaml'), stringify(file));
});
afterEach(async () => {
  await books?.close();
  await server.stop('SIGKILL');
  await clouds.close();
  await rm(folder, { recursive: true, force: true });
});

const start = async () => {
  server = await startServer({ args: ['--data', folder, '--config', join(folder, 'hearth.yaml')] });
  return new Anthropic({ baseURL: server.baseUrl, apiKey: 'none', maxRetries: 0 });
};
const until = async (holds: () => Promise<boolean> | boolean) => {
  while (!(await holds())) await pause(20);
};

/** Each service with what it has of batches. */
const services = {
  claude: () => clouds.anthropic.batches,
  openai: () => clouds.openai.batches,
} as const;

describe.each(Object.keys(services) as (keyof typeof services)[])(
  'a server that is killed, with a batch at %s',
  (name) => {
    it('finds it again, has each result once, and pays for each once', async () => {
      let client = await start();
      const service = services[name]();
      service.swallows = true;
      const requests = Array.from({ length: count }, (_, index) => ({
        custom_id: `item-${index}`,
        params: {
          model: cloudModels[name],
          max_tokens: 40,
          messages: [{ role: 'user' as const, content: `Note ${index}` }],
        },
      }));
      const { id } = await client.messages.batches.create({ requests });
      // 1. The service has taken it, and the server has not heard of that.
      await until(() => service.all.length === 1);
      await server.stop('SIGKILL');
      client = await start();
      service.end();
      // 2. While it stores the results.
      for (const waitMs of [100, 300]) {
        await until(
          async () => ((await client.get(`/status/${id}`)) as { progress: { done: number } }).progress.done > 0,
        );
        await pause(waitMs);
        await server.stop('SIGKILL');
        client = await start();
      }
      await until(async () => (await client.messages.batches.retrieve(id)).processing_status === 'ended');
      const lines: Anthropic.Messages.MessageBatchIndividualResponse[] = [];
      for await (const line of await client.messages.batches.results(id)) lines.push(line);
      expect(lines.map(({ result }) => result.type)).toEqual(Array.from({ length: count }, () => 'succeeded'));
      expect(service.all).toHaveLength(1);
      books = await booksOf({ dataFolder: folder });
      await until(async () => (await books.reservations()).length === 0);
      const rows = await books.entries();
      expect(rows).toHaveLength(count);
      expect(new Set(rows.map(({ outcome, served_tier }) => `${outcome} ${served_tier}`))).toEqual(
        new Set(['answered batch']),
      );
      const cost = rows.reduce((sum, row) => sum + row.cost!, 0n);
      for (const { spent, reserved } of await books.spending()) expect([spent, reserved]).toEqual([cost, 0n]);
    });
  },
);
