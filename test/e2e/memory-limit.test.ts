import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive, metric, postJson } from '../support/client.ts';
import { type MemoryCgroup, makeMemoryCgroup } from '../support/memory-cgroup.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { smallBench, writeBenchModels } from '../support/small-models.ts';
import { letters, promptOf } from '../support/tiny-models.ts';

/** How long the mixed load goes on; a longer run looks for what is rare. */
const seconds = Number(process.env['HEARTH_TEST_SQUEEZE_SECONDS'] ?? 18);
const limitBytes = 2 * 2 ** 30;
/** Three of these do not fit into the limit at once with the contexts below, two or one do; with `largest` only one. */
const sizes = ['one', 'two', 'three'].map((name, index) => ({ ...smallBench, name, layers: 6 + 2 * index }));
const largest = { context_length: 32_768, parallel: 8 };
/** Failures that a client may see here. Anything else, a crashed worker above all, is a fault. */
const expectedCodes = ['insufficient_memory', 'queue_full', 'memory_pressure', 'context_length_exceeded'];

/** Numbers from 0 to 1, the same for the same seed; the constants are those of the C standard's example. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) / 2 ** 23;
  };
}

/** One client: asks, loads, plans and unloads at random until the time is over. */
async function client(baseUrl: string, seed: number, untilMs: number) {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const seen = new Map<string, number>();
  const faults: unknown[] = [];
  while (performance.now() < untilMs) {
    const model = pick(sizes).name;
    const action = pick(['ask', 'ask', 'ask', 'ask', 'load', 'load', 'plan', 'unload'] as const);
    const url = action === 'ask' ? `${baseUrl}/v1/completions` : `${baseUrl}/models/${model}/${action}`;
    const settings = { context_length: pick([2_048, 8_192, 32_768]), parallel: pick([1, 2, 4, 8]) };
    const prompt = promptOf(letters(pick([5, 60, 400]), seed));
    const { status, body } =
      action === 'plan'
        ? await fetch(url).then(async (response) => ({ status: response.status, body: await response.json() }))
        : await postJson(url, action === 'ask' ? { model, prompt, max_tokens: 8 } : action === 'load' ? settings : {});
    const { error } = body as { error?: { code: string; message: string; details?: Record<string, unknown> } };
    const outcome = status === 200 ? 'ok' : String(error?.code).toLowerCase();
    seen.set(`${action} ${outcome}`, (seen.get(`${action} ${outcome}`) ?? 0) + 1);
    if (status === 200) continue;
    const hasNumbers = outcome !== 'insufficient_memory' || /needs .*\d.*, .*\d.* are available/.test(error!.message);
    if (!expectedCodes.includes(outcome) || !hasNumbers) faults.push({ action, settings, status, body });
  }
  return { seen, faults };
}

describe('mixed loads of three models', () => {
  let models: string;
  let server: RunningServer | null = null;
  let group: MemoryCgroup | { skip: string } | null = null;
  beforeAll(async () => {
    models = await mkdtemp(join(tmpdir(), 'hearth-squeeze-'));
    await writeBenchModels(
      models,
      sizes.map((size) => ({ size, type: 'q8_0' as const })),
    );
  });
  afterAll(async () => {
    await server?.stop();
    if (group && !('skip' in group)) group.remove();
    await rm(models, { recursive: true, force: true });
  });

  /** Runs the load and checks what holds with and without a limit. */
  const squeeze = async (procsFile: string | undefined, forSeconds: number) => {
    server = await startServer({ models, ...(procsFile !== undefined && { procsFile }) });
    const untilMs = performance.now() + forSeconds * 1_000;
    const results = await Promise.all([11, 22, 33].map((seed) => client(server!.baseUrl, seed, untilMs)));
    const seen = new Map<string, number>();
    for (const result of results) {
      for (const [what, count] of result.seen) seen.set(what, (seen.get(what) ?? 0) + count);
    }
    expect(results.flatMap(({ faults }) => faults)).toEqual([]);
    expect(isAlive(server.pid)).toBe(true);
    const text = await (await fetch(`${server.baseUrl}/metrics`)).text();
    expect(text).not.toMatch(/^hearth_worker_restarts_total\{/m);
    expect(seen.get('ask ok')).toBeGreaterThan(0);
    expect(seen.get('load ok')).toBeGreaterThan(0);
    return seen;
  };

  /** Loads one after the other, each too large to fit beside the one before; returns how often that was felt. */
  const crowd = async (baseUrl: string) => {
    const unloadsForRoom = async () => {
      const series = sizes.map(({ name }) => `hearth_model_unloads_total{model="${name}",reason="room"}`);
      const counts = await Promise.all(series.map((one) => metric(baseUrl, one)));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    const before = await unloadsForRoom();
    const statuses: number[] = [];
    for (const { name } of sizes) statuses.push((await postJson(`${baseUrl}/models/${name}/load`, largest)).status);
    return { statuses, unloadsForRoom: (await unloadsForRoom()) - before };
  };

  it('in 2 GiB end without a process killed for memory, and what does not fit is refused with numbers', async (context) => {
    group = makeMemoryCgroup(limitBytes);
    if ('skip' in group) return context.skip(group.skip);
    await squeeze(group.procsFile, seconds);
    expect(group.oomKills()).toBe(0);
    // However few loads a busy machine got done until now, here the limit is felt twice at least.
    const { statuses, unloadsForRoom } = await crowd(server!.baseUrl);
    expect(statuses).toEqual([200, 200, 200]);
    expect(unloadsForRoom).toBeGreaterThanOrEqual(2);
    expect(group.oomKills()).toBe(0);
    const health = (await (await fetch(`${server!.baseUrl}/health`)).json()) as { memory: Record<string, unknown> };
    expect(health.memory).toMatchObject({ budget_bytes: limitBytes - 256 * 2 ** 20 });
    expect(health.memory['source']).toMatch(/^cgroup-v[12]$/);
    await server!.stop();
    server = null;
    expect(group.oomKills()).toBe(0);
    group.remove();
    group = null;
  }, 600_000);

  it('without a limit end the same way', async () => {
    await squeeze(undefined, seconds / 3);
    await server!.stop();
    server = null;
  }, 600_000);
});
