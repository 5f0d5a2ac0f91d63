import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metric, postJson } from '../support/client.ts';
import { builtInModel } from '../support/models.ts';
import { cleanEnvironment, type RunningServer, repositoryRoot, startServer } from '../support/server.ts';

describe('a plan', () => {
  let server: RunningServer;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-plan-'));
    server = await startServer();
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const get = async (path: string) => (await fetch(`${server.baseUrl}${path}`)).json();
  const hearth = (args: string[], env: Record<string, string> = {}) => {
    const run = spawnSync(process.execPath, ['src/main.ts', ...args], {
      cwd: repositoryRoot,
      env: cleanEnvironment({ HEARTH_DATA: folder, ...env }),
      encoding: 'utf8',
    });
    return { code: run.status, out: run.stdout, err: run.stderr };
  };
  const port = () => new URL(server.baseUrl).port;
  /** Whether what the first load took changes the next plans. */
  let isCorrected = true;

  it('is what the load then does, and its estimate is right within a tenth', async () => {
    const query = 'context_length=1024&parallel=2';
    const shown = (await get(`/models/${builtInModel}/plan?${query}`)) as {
      fits: boolean;
      plan: { notes: string[]; mmap: boolean };
    };
    expect(shown.fits).toBe(true);
    expect((await get('/models')) as unknown).toMatchObject({ models: [{ state: 'unloaded' }] });
    const { status, body } = await postJson(`${server.baseUrl}/models/${builtInModel}/load`, {
      context_length: 1024,
      parallel: 2,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      plan: { ...shown.plan, context_length: 1024, parallel: 2 },
      model: { context_length_loaded: 1024, slots: 2, pinned: false },
    });
    const error = await metric(server.baseUrl, `hearth_memory_estimate_error_ratio{model="${builtInModel}"}`);
    expect(Math.abs(error)).toBeLessThan(0.1);
    expect(error).not.toBe(0);
    // Of a mapped file pages may be missing: less than expected is no promise for the next time. Whether it is mapped
    // depends on the processor's kernels.
    isCorrected = !shown.plan.mmap || error < 0;
  });

  it('is corrected by what the last load took', async () => {
    const first = (await get(`/models/${builtInModel}/plan?context_length=1024&parallel=2`)) as {
      plan: { expected_bytes: { correction: number; at_load: number } };
    };
    const { correction, at_load } = first.plan.expected_bytes;
    expect(correction !== 0).toBe(isCorrected);
    await postJson(`${server.baseUrl}/models/${builtInModel}/unload`, {});
    await postJson(`${server.baseUrl}/models/${builtInModel}/load`, { context_length: 1024, parallel: 2 });
    const error = await metric(server.baseUrl, `hearth_memory_estimate_error_ratio{model="${builtInModel}"}`);
    expect(Math.abs(error)).toBeLessThan(isCorrected ? 0.05 : 0.1);
    expect(at_load - correction).toBeGreaterThan(0);
  });

  it('is printed as a table of the running server, or as JSON', async () => {
    const table = hearth(['plan', 'default', '--port', port(), '--parallel', '3']);
    expect(table).toMatchObject({ code: 0, err: '' });
    expect(table.out).toMatch(/^hearth-guide-3m \(q8_0\) fits\n/);
    expect(table.out).toMatch(/key-value cache +\d+\.\d MiB {2}f16/);
    expect(table.out).toMatch(/context 2048 tokens, 3 at the same time/);
    const json = hearth(['plan', 'default', '--port', port(), '--json', '--context-length', '512']);
    const shown = JSON.parse(json.out);
    expect(shown).toMatchObject({ fits: true, plan: { context_length: 512 } });
    // The model was loaded in that server, and only there.
    const isNow = shown.plan.expected_bytes.correction !== 0;
    expect(table.out.includes('measured correction')).toBe(isNow);
  });

  it('is made without a server where none listens, and leaves no process and no model behind', () => {
    const alone = hearth(['plan', 'default', '--port', '1'], { HEARTH_API_KEY: 'a-key' });
    expect(alone).toMatchObject({ code: 0, err: '' });
    expect(alone.out).toMatch(/^hearth-guide-3m \(q8_0\) fits\n/);
    expect(alone.out).not.toMatch(/measured correction/);
  });

  it('that is no plan exits with 1 and the numbers, or the reason', () => {
    const tight = hearth(['plan', 'default', '--port', '1'], { HEARTH_MEMORY_LIMIT: '160MiB' });
    expect(tight.code).toBe(1);
    expect(tight.out).toMatch(/does not fit/);
    expect(tight.out).toMatch(/missing +\d+\.\d MiB/);
    const unknown = hearth(['plan', 'no-such-model', '--port', port()]);
    expect(unknown).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^hearth: There is no model/) });
    const wrong = hearth(['plan', 'default', '--port', port(), '--parallel', '99']);
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('parallel') });
  });

  it('of a pinned model keeps it from idle unloads', async () => {
    const { body } = await postJson(`${server.baseUrl}/models/${builtInModel}/load`, { pin: true, keep_alive: 0 });
    expect(body).toMatchObject({ model: { pinned: true, expires_at: null, state: 'loaded' } });
    await postJson(`${server.baseUrl}/models/${builtInModel}/load`, { pin: false });
    expect(await get(`/models/${builtInModel}`)).toMatchObject({ pinned: false, expires_at: expect.any(String) });
  });

  it('and the budget behind it are part of the health of the server', async () => {
    const { memory } = (await get('/health')) as { memory: Record<string, number | string> };
    expect(memory['reserve_bytes']).toBe(256 * 2 ** 20);
    expect(memory['available_bytes']).toBeLessThanOrEqual(memory['budget_bytes'] as number);
    expect(memory['used_bytes']).toBeGreaterThan(10e6);
    expect(memory['source']).toMatch(/^(host|cgroup-v[12]|process|config)$/);
    expect(await metric(server.baseUrl, 'hearth_memory_available_bytes')).toBeGreaterThan(0);
  });
});
