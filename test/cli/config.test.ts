import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { schemaFile } from '../../scripts/config-docs.ts';
import { testConfig } from '../http/harness.ts';
import { cloudConfigOf } from '../support/cloud-config.ts';
import { runCli } from '../support/run-cli.ts';
import { cleanEnvironment, repositoryRoot } from '../support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-config-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** `hearth WORDS` as a process. */
function run(words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const main = join(repositoryRoot, 'src/main.ts');
  return new Promise((resolve) => {
    const running = execFile(
      process.execPath,
      [main, ...words],
      { env: cleanEnvironment() },
      (_error, stdout, stderr) => resolve({ code: running.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('hearth config', () => {
  it('check says what is likely a mistake', async () => {
    const cloud = cloudConfigOf('providers: { cursor: { base_url: https://cursor.example/v1 } }');
    const { text, code } = await runCli({ ...testConfig(), cloud }, ['config', 'check']);
    expect(code).toBe(0);
    expect(text).toContain("warning: Provider 'cursor' has no models configured\n");
    expect(text).toMatch(/The configuration can be used\.\n$/);
  });

  it('check fails with line and path, of the file in force or of another one', async () => {
    const good = write('good.yaml', 'server: { port: 8001 }\n');
    const bad = write('bad.yaml', 'server:\n  prt: 8001\n');
    const failed = {
      code: 1,
      stderr: `hearth: ${bad}:2:3: server.prt: there is no such setting; did you mean port?\n`,
    };
    expect(await run(['config', 'check', '--config', bad])).toMatchObject(failed);
    expect(await run(['config', 'check', bad, '--config', good])).toMatchObject(failed);
    expect(await run(['config', 'check', good])).toMatchObject({ code: 0 });
  });

  it('check says the same as JSON', async () => {
    const bad = write('bad-json.yaml', 'server:\n  prt: 8001\n');
    const failed = await run(['config', 'check', bad, '--json']);
    expect([failed.code, JSON.parse(failed.stdout)]).toEqual([
      1,
      { valid: false, problems: [expect.stringContaining(`${bad}:2:3: server.prt`)], warnings: [] },
    ]);
    const good = await runCli(testConfig(), ['config', 'check', '--json']);
    expect([good.code, JSON.parse(good.text)]).toEqual([0, { valid: true, problems: [], warnings: [] }]);
  });

  it('show names each value with its origin, and no secret', async () => {
    const file = write(
      'shown.yaml',
      'server: { api_key: canary-1234 }\nproviders: { openai: { api_key: canary-5678 } }\n',
    );
    const { stdout, code } = await run(['config', 'show', '--config', file, '--port', '8002']);
    expect(code).toBe(0);
    expect(stdout).not.toContain('canary');
    const lines = stdout.split('\n');
    expect(lines).toContain('server.port = 8002  (--port)');
    expect(lines).toContain('server.host = 127.0.0.1  (default)');
    expect(lines).toContain('server.url = -  (default)');
    expect(lines).toContain(`server.api_key = [redacted]  (${file}:1:20)`);
    expect(lines).toContain(`providers = {"openai":{"api_key":"[redacted]"}}  (${file}:2:12)`);
  });

  it('schema prints what editors are given', async () => {
    const { text } = await runCli(testConfig(), ['config', 'schema']);
    expect(JSON.parse(text)).toEqual(JSON.parse(schemaFile()));
  });
});
