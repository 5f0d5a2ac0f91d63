import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cleanEnvironment } from './server.ts';

/** What the summary of `.ci/run` adds to its last line. */
export interface RunResult {
  passed: number;
  failed: number;
  skipped: number;
}

/** Only ends an installation that hangs. */
const createSeconds = 120;

export interface RunOptions {
  limitSeconds: number;
  env?: Record<string, string>;
  folder?: string;
}

/** Runs a program with our output; resolves with its exit status, 1 where it cannot be started or takes too long. */
export function runProgram(program: string, args: string[], options: RunOptions): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      ...(options.folder !== undefined && { cwd: options.folder }),
      env: cleanEnvironment(options.env),
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: options.limitSeconds * 1_000,
    });
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/**
 * Makes a virtual environment in a folder and installs what `pipArgs` say into it. False, with the reason on stdout,
 * where that cannot be done here.
 */
export async function installPython(venv: string, pipArgs: string[], limitSeconds: number): Promise<boolean> {
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...pipArgs];
  const steps: [program: string, args: string[], limitSeconds: number][] = [
    ['python3', ['-m', 'venv', '--clear', venv], createSeconds],
    [pythonOf(venv, 'python'), pip, limitSeconds],
  ];
  for (const [program, args, seconds] of steps) {
    if ((await runProgram(program, args, { limitSeconds: seconds })) === 0) continue;
    process.stdout.write(`skipped: ${pipArgs.at(-1)} cannot be installed (${program} failed)\n`);
    return false;
  }
  return true;
}

/** A program of a virtual environment. */
export const pythonOf = (venv: string, program: string) => join(venv, 'bin', program);
