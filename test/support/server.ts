import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };

/** The root of the repository, absolute, without a trailing slash. */
export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export interface StartOptions {
  /** Command-line arguments after `--port 0 --data DIR`. */
  args?: string[];
  /** Variables on top of the test run's environment, from which every HEARTH_ variable has been taken out. */
  env?: Record<string, string>;
  /** The file of a control group to start in; see `memory-cgroup.ts`. */
  procsFile?: string;
  /** Folder with models; left out: the built-in model only. */
  models?: string;
}

/** How a process ended. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface RunningServer {
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  baseUrl: string;
  pid: number;
  child: ChildProcess;
  /** Sends the signal (SIGTERM unless told), waits for the exit and removes the data folder. Safe to call twice. */
  stop(signal?: NodeJS.Signals): Promise<ProcessEnd>;
  /** Resolves when the process has ended, whoever ended it. */
  ended: Promise<ProcessEnd>;
  /** Everything printed so far. */
  stdout(): string;
  stderr(): string;
}

const running = new Set<ChildProcess>();
// A test that failed before it could stop its server must not leave one behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** The test run's environment without what an operator or the test runner put there for themselves. */
export function cleanEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(HEARTH_|VITEST|NODE_OPTIONS$)/.test(name));
  return { ...Object.fromEntries(inherited), ...extra };
}

/**
 * Starts the real server with the line that `npm start` runs, on a free port with an empty data folder, and resolves
 * when it has printed its address. Rejects with everything the process printed when it ends before that.
 */
export async function startServer(options: StartOptions = {}): Promise<RunningServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'hearth-test-'));
  const models = options.models === undefined ? [] : ['--models', options.models];
  const args = ['--port', '0', '--data', dataFolder, ...models, ...(options.args ?? [])];
  // The shell joins the group and then becomes the server, so that nothing of it is ever outside.
  const joinGroup = options.procsFile === undefined ? '' : 'echo $$ > "$0" && ';
  const line = `${joinGroup}${packageJson.scripts.start} "$@"`;
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
  const child = spawn('sh', ['-c', line, options.procsFile ?? 'sh', ...args], {
    cwd: repositoryRoot,
    // A measurement in an idle moment would change threads in the middle of a test.
    env: cleanEnvironment({ PATH: path, HEARTH_CALIBRATE: 'off', ...options.env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<ProcessEnd>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  const cleanUp = () => rm(dataFolder, { recursive: true, force: true });

  const baseUrl = await Promise.race([
    addressIn(child, () => stdout),
    ended.then(async ({ code, signal }) => {
      await cleanUp();
      throw new Error(`the server ended before it listened (code ${code}, signal ${signal})\n${stdout}\n${stderr}`);
    }),
  ]);
  return {
    baseUrl,
    pid: child.pid ?? 0,
    child,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const end = await ended;
      await cleanUp();
      return end;
    },
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
  };
}

/** Requests that the log of a server has at level error and above: whatever a client sends is the client's mistake. */
export function errorLines({ stdout, stderr }: Pick<RunningServer, 'stdout' | 'stderr'>): string[] {
  return (stdout() + stderr()).split('\n').filter((line) => /^\{"level":[56]0,.*"requestId":/.test(line));
}

/** Waits for a line that carries the server's address. */
function addressIn(child: ChildProcess, text: () => string): Promise<string> {
  return new Promise((resolve) => {
    const look = () => {
      const address = /http:\/\/127\.0\.0\.1:\d+(?=\D)/.exec(text())?.[0];
      if (address === undefined) return;
      child.stdout?.off('data', look);
      resolve(address);
    };
    child.stdout?.on('data', look);
  });
}
