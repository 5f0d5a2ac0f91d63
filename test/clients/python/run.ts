import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { installPython, pythonOf, type RunResult, runProgram } from '../../support/python.ts';
import { errorLines, startServer } from '../../support/server.ts';
import { makeTinyModels } from '../../support/tiny-models.ts';

/** They only end what hangs; `.ci/run` has a limit for all of it. */
const installSeconds = 240;
const testSeconds = 240;

/** Folders with a lock file, an environment made of it, and tests; clients that cannot live together are in two. */
const folders = [import.meta.dirname, join(import.meta.dirname, 'llama-index')];

const command = new Command('python-clients')
  .description('run the tests of clients in Python, against a server of their own')
  .option('--result <file>', 'where to write how many tests passed, failed and were skipped')
  .argument('[args...]', 'more arguments for pytest, after --')
  .parse();
const { result: resultFile } = command.opts<{ result?: string }>();

const installed: string[] = [];
for (const folder of folders) if ((await isInstalled(folder)) || (await install(folder))) installed.push(folder);
const result = await test(installed);
result.skipped += folders.length - installed.length;
if (resultFile) await writeFile(resultFile, JSON.stringify(result));
if (result.failed > 0) process.exitCode = 1;

/** What a folder has: its lock file, its environment, and the lock file that this was made of. */
function filesOf(folder: string) {
  const venv = join(folder, '.venv');
  return { lockFile: join(folder, 'requirements.txt'), venv, installedFile: join(venv, 'installed.txt') };
}

async function isInstalled(folder: string): Promise<boolean> {
  const { lockFile, venv, installedFile } = filesOf(folder);
  const [wanted, present] = await Promise.all([lockFile, installedFile].map(readIfThere));
  if (wanted !== present) return false;
  // The Python that the environment stands on may be gone since.
  return (await runProgram(pythonOf(venv, 'python'), ['-c', ''], { limitSeconds: installSeconds })) === 0;
}

async function install(folder: string): Promise<boolean> {
  const { lockFile, venv, installedFile } = filesOf(folder);
  const pipArgs = ['--require-hashes', '--only-binary', ':all:', '--requirement', lockFile];
  if (!(await installPython(venv, pipArgs, installSeconds))) return false;
  await copyFile(lockFile, installedFile);
  return true;
}

/** One server for all: the built-in model, and tiny random ones of which one makes vectors. */
async function test(folders: string[]): Promise<RunResult> {
  const sum: RunResult = { passed: 0, failed: 0, skipped: 0 };
  if (folders.length === 0) return sum;
  const home = await mkdtemp(join(tmpdir(), 'hearth-python-'));
  const models = await makeTinyModels();
  const server = await startServer({ models: models.folder });
  try {
    for (const folder of folders) {
      const { passed, failed, skipped } = await testFolder(folder, join(home, 'report.xml'), server.baseUrl);
      sum.passed += passed;
      sum.failed += failed;
      sum.skipped += skipped;
    }
    const errors = errorLines(server);
    for (const line of errors) process.stdout.write(`the server logged an error: ${line}\n`);
    return { ...sum, failed: sum.failed + errors.length };
  } finally {
    await server.stop();
    await models.remove();
    await rm(home, { recursive: true, force: true });
  }
}

async function testFolder(folder: string, report: string, url: string): Promise<RunResult> {
  await rm(report, { force: true });
  const code = await runProgram(pythonOf(filesOf(folder).venv, 'pytest'), [`--junit-xml=${report}`, ...command.args], {
    folder,
    env: {
      HEARTH_TEST_URL: url,
      PYTHONDONTWRITEBYTECODE: '1',
      // It would ask the network for prices.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    },
    limitSeconds: testSeconds,
  });
  return toResult((await readIfThere(report)) ?? '', code);
}

/** Counts of a report in JUnit's form; a run without one, or that ended badly with nothing to show, has failed. */
function toResult(report: string, code: number): RunResult {
  const count = (what: string) => Number(new RegExp(`<testsuite [^>]*\\b${what}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const skipped = count('skipped');
  const broken = count('failures') + count('errors');
  const passed = Math.max(0, count('tests') - broken - skipped);
  // Pytest's 5: nothing was chosen of this folder.
  const isBroken = broken === 0 && code !== 5 && (code !== 0 || passed === 0);
  return { passed, failed: isBroken ? 1 : broken, skipped };
}

async function readIfThere(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch(() => null);
}
