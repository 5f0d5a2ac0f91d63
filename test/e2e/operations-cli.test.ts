import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTerminal, terminalMissing } from '../support/pseudo-terminal.ts';
import { cleanEnvironment, type RunningServer, repositoryRoot, startServer } from '../support/server.ts';

const run = promisify(execFile);
const adminKey = 'canary-admin-key-1';
const canary = /canary/i;
/** What terminals obey begins with it. */
const escapeCode = '\u001b';

let server: RunningServer;
let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-operations-e2e-'));
  const file = join(folder, 'hearth.yaml');
  await writeFile(
    file,
    `models:
  pinned_prompts: ["canary-pinned-prompt of the house"]
providers:
  openai:
    base_url: http://127.0.0.1:9/v1
    api_key: canary-provider-key-1
    headers: { x-team: canary-header-1 }
    models: [{ id: gpt-4o }]
keys:
  - { name: kitchen, key: canary-kitchen-key-1, scopes: [inference] }
`,
  );
  await chmod(file, 0o600);
  env = { HEARTH_API_KEY: adminKey, HEARTH_LOG_LEVEL: 'debug', HEARTH_CONFIG: file };
  server = await startServer({ env });
  env = { ...env, HEARTH_URL: server.baseUrl };
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const hearth = (...words: string[]) => hearthWith(adminKey, ...words);

async function hearthWith(key: string, ...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = {
    cwd: repositoryRoot,
    env: cleanEnvironment({ ...env, HEARTH_API_KEY: key }),
    maxBuffer: 64 * 1024 ** 2,
  };
  return run(process.execPath, ['src/main.ts', ...words], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

/** Asks with a prompt that nobody else may see. */
const ask = () =>
  fetch(`${server.baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'default', max_tokens: 8, messages: [{ role: 'user', content: 'canary-prompt' }] }),
  });

describe('hearth doctor', () => {
  it('finds what is wrong, and its report has no key, token or prompt', async () => {
    expect((await ask()).status).toBe(200);
    // A failure that repeats a key is in the log.
    await fetch(`${server.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer canary-wrong-key-1', 'content-type': 'application/json' },
      body: '{"canary-broken": ',
    });
    const path = join(folder, 'report.json.gz');
    const { stdout, stderr, code } = await hearth('doctor', '--offline', '--json', '--bundle', path);
    const answer = JSON.parse(stdout);
    expect([answer.exit_code, stderr]).toEqual([code, expect.stringContaining(path)]);
    const found = (id: string) => answer.findings.find((one: { id: string }) => one.id === id);
    expect(found('processor.kernels')).toMatchObject({ facts: { name: found('processor.kernels').facts.expected } });
    expect(found('server.running')).toMatchObject({ found: expect.stringContaining(server.baseUrl) });
    expect(found('config.keys')).toMatchObject({ severity: 'ok', facts: { asks_for_key: true } });
    const report = gunzipSync(await readFile(path)).toString();
    expect(JSON.parse(report).server).toMatchObject({
      health: { version: expect.any(String) },
      log: expect.any(Array),
    });
    expect(JSON.parse(report).server.log.length).toBeGreaterThan(3);
    for (const text of [stdout, stderr, report]) expect(text).not.toMatch(canary);
  });

  it('works where the configuration cannot be used, and names the place', async () => {
    const file = join(folder, 'broken.yaml');
    await writeFile(file, 'server:\n  port: many\n');
    const { stdout, code } = await hearth('--config', file, 'doctor', '--offline');
    expect(code).toBe(2);
    expect(stdout).toMatch(/ERROR +Configuration +\S*broken\.yaml:2:9: server\.port/);
  });
});

describe('hearth bench', () => {
  it('measures the built-in model', async () => {
    const { stdout, code } = await hearth('bench', '--rounds', '1', '--tokens', '16', '--json');
    expect(code).toBe(0);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({
      model: 'hearth-guide-3m:q8_0',
      kernels: { name: expect.any(String), built_here: expect.any(Boolean) },
      load_ms: expect.any(Number),
      prompts: [{ wanted_tokens: 128 }, { wanted_tokens: 512 }],
      notes: [],
    });
    for (const { wanted_tokens, prompt_tokens, tokens_per_second } of answer.prompts) {
      expect(Math.abs(prompt_tokens - wanted_tokens) / wanted_tokens).toBeLessThan(0.2);
      expect(tokens_per_second).toBeGreaterThan(0);
    }
    expect(answer.decode.map(({ streams }: { streams: number }) => streams)).toEqual([1, answer.slots]);
  });
});

describe('with a key for inference', () => {
  it('bench measures all the same, and what is for administration is refused', async () => {
    const { stdout, code } = await hearthWith(
      'canary-kitchen-key-1',
      'bench',
      '--rounds',
      '1',
      '--tokens',
      '8',
      '--json',
    );
    expect([code, JSON.parse(stdout).decode[0].streams]).toEqual([0, 1]);
    const logs = await hearthWith('canary-kitchen-key-1', 'logs');
    expect([logs.code, logs.stdout, logs.stderr]).toEqual([1, '', expect.stringContaining('scope admin')]);
  });
});

describe.skipIf(terminalMissing !== null)(`in a terminal (${terminalMissing ?? 'there is one'})`, () => {
  it('doctor is coloured, and plain where NO_COLOR is set', async () => {
    const coloured = await openTerminal(['doctor', '--offline'], { env, columns: 120 }).ended;
    expect(coloured.text).toContain('\u001b[32mok');
    const plain = await openTerminal(['doctor', '--offline'], { env: { ...env, NO_COLOR: '1' } }).ended;
    expect(plain.text).not.toContain('\u001b[3');
    expect(plain.code).toBe(coloured.code);
  });

  it('status --watch writes over itself until Ctrl-C', async () => {
    const terminal = openTerminal(['status', '--watch'], { env });
    await terminal.until(new RegExp(`${escapeCode}\\[2J${escapeCode}\\[HHearth .*ready`));
    const before = Number(/today +(\d+) answered here/.exec(await terminal.until(/today +\d+ answered here/))?.[1]);
    await ask();
    // Not a new screen, but the old one over again.
    await terminal.until(
      new RegExp(`${escapeCode}\\[J[^]*${escapeCode}\\[HHearth[^]*today +${before + 1} answered here`),
    );
    terminal.type('\u0003');
    expect((await terminal.ended).code).toBe(130);
  });

  it('logs --follow shows each line as it comes until Ctrl-C', async () => {
    const terminal = openTerminal(['logs', '-f', '--level', 'debug'], { env, columns: 200 });
    await terminal.until(/debug +request/);
    await fetch(`${server.baseUrl}/models`, { headers: { 'x-api-key': adminKey, 'x-request-id': 'req_followed' } });
    await terminal.until(/request=req_followed/);
    terminal.type('\u0003');
    const { code, text } = await terminal.ended;
    expect(code).toBe(130);
    expect(text).not.toMatch(canary);
  });
});
