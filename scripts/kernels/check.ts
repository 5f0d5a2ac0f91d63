import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Prediction, ProbeResult } from './probe.ts';

/** Another compiler rounds elsewhere, which has moved one of these by 0.03; with wrong kernels nothing fits any more. */
const mostDifference = 0.1;

/** Runs the model with the kernels that are installed now. Rejects with the reason when its process does not live. */
export function probe(root: string, modelPath: string): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'probe.ts'), [root, modelPath], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let result: ProbeResult | null = null;
    let said = '';
    child.on('message', (message) => {
      result = message as ProbeResult;
    });
    child.stderr!.on('data', (bytes: Buffer) => {
      said = `${said}${bytes}`.slice(-2_000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (result) resolve(result);
      else reject(new Error(`it ended with ${signal ?? code}\n${said}`.trim()));
    });
  });
}

/** The largest difference of two probabilities that should be the same. */
export function largestDifference(before: readonly Prediction[], after: readonly Prediction[]): number {
  if (before.length !== after.length) return 1;
  const differences = before.flatMap((expected, index) =>
    Object.entries(expected).map(([token, probability]) => Math.abs(probability - (after[index]![Number(token)] ?? 0))),
  );
  return Math.max(0, ...differences);
}

/** Whether the same model predicts the same with other kernels. */
export function predictsTheSame(before: readonly Prediction[], after: readonly Prediction[]): boolean {
  return largestDifference(before, after) <= mostDifference;
}
