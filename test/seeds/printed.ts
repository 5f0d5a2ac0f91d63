import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/server.ts';

const run = promisify(execFile);

/**
 * Checks that an answer has everything that a printed one has, of the same types; what it has beyond that is its own. Each
 * item of a list must look like the first printed one. `null` stands for anything.
 */
export function expectPrinted(actual: unknown, printed: unknown, path = 'answer'): void {
  if (printed === null) return;
  expect(kindOf(actual), path).toBe(kindOf(printed));
  if (Array.isArray(printed) && Array.isArray(actual)) {
    if (printed.length > 0) expect(actual, path).not.toEqual([]);
    for (const [index, item] of actual.entries()) expectPrinted(item, printed[0] ?? null, `${path}.${index}`);
  } else if (isObject(printed) && isObject(actual)) {
    for (const [name, value] of Object.entries(printed)) expectPrinted(actual[name], value, `${path}.${name}`);
  }
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A code sample as its specification prints it, but for the address of the server. */
export function sample(name: string, baseUrl: string): string {
  const text = readFileSync(new URL(`samples/${name}`, import.meta.url), 'utf8');
  return text.replaceAll('http://localhost:8000', baseUrl);
}

/** What a program prints that is given as text; rejects when it fails. `onPrinted`: is told whatever it prints, at once. */
export async function output(
  command: 'python3' | 'node' | 'sh',
  text: string,
  { suffix = '', onPrinted = () => {} }: { suffix?: string; onPrinted?: (text: string) => void } = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-sample-'));
  try {
    const file = join(folder, `sample${suffix}`);
    writeFileSync(file, text);
    const program = command === 'node' ? process.execPath : command;
    const running = run(program, [file], { env: cleanEnvironment({ PYTHONDONTWRITEBYTECODE: '1' }) });
    running.child.stdout?.on('data', (data) => onPrinted(String(data)));
    return (await running).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether a program is there and ends well with these arguments. */
export function works(command: string, ...args: string[]): Promise<boolean> {
  return run(command, args, { env: cleanEnvironment() }).then(
    () => true,
    () => false,
  );
}
