import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { ask, eventually, metric, postJson } from '../support/client.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { builtInModel } from '../support/models.ts';
import { cleanEnvironment } from '../support/server.ts';

const label = `{model="${builtInModel}"}`;
const questions = ['What is GGUF?', 'What is Hearth?', 'What is prefill?'];

interface Running {
  app: App;
  clock: ManualClock;
  baseUrl: string;
}

/**
 * The server in this process, with real workers. The clock stands still, so that how busy this machine is decides
 * nothing; the steps are timed by the worker, with its own clock.
 */
async function start(dataFolder: string, variables: Record<string, string> = {}): Promise<Running> {
  const clock = manualClock();
  const env = cleanEnvironment(variables);
  const app = await createApp(
    {
      config: loadConfig({ flags: { port: 0, data: dataFolder }, env, cwd: dataFolder }),
      log: createLogger('silent'),
      env,
    },
    { clock, newCpuReader: () => ({ read: () => ({ waitingShare: 0, frozenCores: 0, idleCores: 1 }) }) },
  );
  const baseUrl = await app.http.listen();
  return { app, clock, baseUrl };
}

const calibrations = async ({ baseUrl }: Running, result: string) =>
  await metric(baseUrl, `hearth_engine_calibrations_total{model="${builtInModel}",result="${result}"}`);

const record = async ({ baseUrl }: Running) =>
  (await (await fetch(`${baseUrl}/models/${builtInModel}`)).json()) as { calibration: { measured_at: string } | null };

describe('the calibration of the built-in model', () => {
  let data: string;
  const answersOf = async ({ baseUrl }: Running) => {
    const answers: string[] = [];
    for (const question of questions) answers.push((await ask(baseUrl, question)).text ?? '');
    return answers;
  };
  const allFree = (server: Running) =>
    eventually(async () => (await metric(server.baseUrl, `hearth_model_slots_busy${label}`)) === 0);
  const calibrate = async (server: Running) => {
    await allFree(server);
    server.clock.advance(5_000);
    await eventually(async () => (await calibrations(server, 'measured')) === 1);
  };

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'hearth-calibration-'));
  });
  afterAll(async () => {
    await rm(data, { recursive: true, force: true });
  });

  it('is measured when it is idle and stored; answers, usage and what slots hold stay as they were', async () => {
    const server = await start(data, { HEARTH_PARALLEL: '1' });
    const before = await answersOf(server);
    expect((await record(server)).calibration).toBeNull();
    const generated = await metric(server.baseUrl, `hearth_generated_tokens_total${label}`);
    const steps = await metric(server.baseUrl, `hearth_engine_steps_total${label}`);
    await calibrate(server);

    const { calibration } = await record(server);
    expect(calibration).toEqual({
      decode_threads: 1,
      prefill_threads: 1,
      decode_tokens_per_second: expect.any(Number),
      prefill_tokens_per_second: expect.any(Number),
      cost_of_tokens: expect.any(Array),
      measured_at: server.clock.now().toISOString(),
    });
    const [file] = await readdir(join(data, 'calibrations'));
    const stored = JSON.parse(await readFile(join(data, 'calibrations', file!), 'utf8'));
    expect(stored.key.model).toMatch(/^hearth-guide-3m-q8_0\.gguf:/);
    expect(stored.calibration.costOfTokens).toHaveLength(16);
    expect([1, 2, 4]).toContain(stored.calibration.libuvThreads);
    expect(Object.keys(stored.calibration.prefillTokensPerSecond)).toEqual(['16', '64', '128', '256', '512']);

    expect(await metric(server.baseUrl, `hearth_generated_tokens_total${label}`)).toBe(generated);
    expect(await metric(server.baseUrl, `hearth_engine_steps_total${label}`)).toBe(steps);
    // The one slot still holds the last conversation: all but its last token come from there.
    const again = await ask(server.baseUrl, questions.at(-1)!);
    expect(again.text).toBe(before.at(-1));
    expect(again.usage).toMatchObject({
      prompt_tokens_details: { cached_tokens: (again.usage as { prompt_tokens: number }).prompt_tokens - 1 },
    });
    expect(await answersOf(server)).toEqual(before);
    await server.app.shutdown();
  });

  it('is not repeated after a restart: the next load uses what is stored, and the answers are the same', async () => {
    const server = await start(data);
    await postJson(`${server.baseUrl}/models/${builtInModel}/load`, {});
    expect((await record(server)).calibration?.measured_at).toBe('2026-01-01T00:00:05.000Z');
    const answers = await answersOf(server);
    expect(answers[0]).toMatch(/^GGUF is a file format for language models\./);
    server.clock.advance(5_000);
    // A measurement that had begun would be interrupted by these.
    expect(await answersOf(server)).toEqual(answers);
    const results = ['stored', 'measured', 'interrupted', 'disturbed', 'provisional', 'failed'];
    const counts = await Promise.all(results.map((result) => calibrations(server, result)));
    expect(counts).toEqual([1, 0, 0, 0, 0, 0]);
    expect(await readdir(join(data, 'calibrations'))).toHaveLength(1);
    await server.app.shutdown();
  });

  it('gives way to a request, which gets its exact answer, and is done later', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-calibration-'));
    const server = await start(folder, { HEARTH_PARALLEL: '1' });
    await postJson(`${server.baseUrl}/models/${builtInModel}/load`, {});
    server.clock.advance(5_000);
    const { text } = await ask(server.baseUrl, questions[0]!);
    expect(text).toMatch(/^GGUF is a file format for language models\./);
    const ended = async () => (await calibrations(server, 'interrupted')) + (await calibrations(server, 'measured'));
    await eventually(async () => (await ended()) === 1);
    await allFree(server);
    // Twice the usual time: the first try came to nothing, unless it was over before the request came.
    server.clock.advance(5_000);
    await calibrate(server);
    expect(await readdir(join(folder, 'calibrations'))).toHaveLength(1);
    await server.app.shutdown();
    await rm(folder, { recursive: true });
  });

  it('is neither measured nor used when it is switched off', async () => {
    const server = await start(data, { HEARTH_CALIBRATE: 'off' });
    await postJson(`${server.baseUrl}/models/${builtInModel}/load`, {});
    server.clock.advance(5_000);
    expect((await ask(server.baseUrl, questions[0]!)).text).toMatch(/^GGUF is a file format for language models\./);
    expect((await record(server)).calibration).toBeNull();
    expect(await calibrations(server, 'stored')).toBe(0);
    await server.app.shutdown();
  });
});
