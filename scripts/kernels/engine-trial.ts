import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the trial found. */
export interface EngineTrial {
  /** Rows whose logits were compared. */
  rows: number;
  /** How many of them were others than alone, with words about the first; null when none was. */
  problem: string | null;
}

/**
 * Tries whether what a model computes for a token depends on its neighbours, on portions, kept states, guesses or threads, with
 * the program that `compileEngineTrial` made and the library and kernels in `folder`. `options` are the program's. Throws when it
 * does not run.
 */
export function tryEngine(
  program: string,
  folder: string,
  model: string,
  options: readonly string[] = [],
): EngineTrial {
  const output = runTrial(program, [folder, model, ...options]);
  const [, different, rows] = /^(?:different (\d+) of|equal) (\d+)/m.exec(output.stdout) ?? [];
  if (rows === undefined) throw failed(output);
  return { rows: Number(rows), problem: different === undefined ? null : output.stdout.trim() };
}

/** What a model predicts behind each token of a text. */
export interface TextLogits {
  tokens: number;
  vocabulary: number;
  perplexity: number;
  /** Those of the first token come first. */
  logits: Float32Array;
}

/** Lets a model read a text in portions of so many tokens, with the library and kernels in `folder`. Throws when it does not run. */
export function logitsOfText(
  program: string,
  folder: string,
  model: string,
  { text, portion }: { text: string; portion: number },
): TextLogits {
  const work = mkdtempSync(join(tmpdir(), 'hearth-logits-'));
  try {
    const [written, given] = [join(work, 'logits'), join(work, 'text')];
    writeFileSync(given, text);
    const options = ['--logits', written, given, '--portion', String(portion)];
    const output = runTrial(program, [folder, model, ...options]);
    const found = /^tokens (\d+), vocabulary (\d+), perplexity (\S+)$/m.exec(output.stdout);
    if (found === null) throw failed(output);
    const [tokens, vocabulary, perplexity] = found.slice(1).map(Number) as [number, number, number];
    const { buffer, byteOffset } = readFileSync(written);
    return { tokens, vocabulary, perplexity, logits: new Float32Array(buffer, byteOffset, tokens * vocabulary) };
  } finally {
    rmSync(work, { recursive: true });
  }
}

interface Output {
  stdout: string;
  stderr: string;
  end: string;
}

function runTrial(program: string, args: readonly string[]): Output {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return { stdout: stdout ?? '', stderr: stderr ?? '', end: String(error?.message ?? signal ?? status) };
}

const failed = ({ stdout, stderr, end }: Output) => new Error(`the trial ended with ${end}\n${stdout}${stderr}`.trim());
