import { systemClock } from '../../src/core/clock.ts';

import { startWorker } from '../../src/engine/residents/model-worker.ts';
import { forkWorker } from '../../src/ipc/fork.ts';
import type { WorkerOptions } from '../../src/ipc/protocol.ts';
import { measuredBytes } from '../../src/machine/resident-bytes.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { anyRequest } from './fake-worker.ts';
import { readFileOrNull } from './files.ts';
import { foldFlat } from './flat-answer.ts';
import { cleanEnvironment } from './server.ts';

/** Physical memory of a real worker right after its load, and after a prompt that filled batch and context. */
export async function footprintOf(
  options: WorkerOptions,
  prompt: string,
): Promise<{ atLoadBytes: number; workedBytes: number }> {
  const resident = await startWorker({
    worker: forkWorker({ env: cleanEnvironment(), libuvThreads: 1 }),
    options,
    loadTimeoutMs: 120_000,
    clock: systemClock,
    log: createLogger('silent'),
    onStep: () => {},
  });
  try {
    const atLoadBytes = measuredBytes(readFileOrNull, resident.pid);
    const never = new AbortController().signal;
    if (options.purpose === 'generate') {
      const request = { ...anyRequest, input: { type: 'text' as const, prompt }, maxTokens: 4 };
      await foldFlat(resident.generate(request, never, { onToken: () => {}, onSettled: () => {} }));
    } else await resident.embed({ inputs: [prompt], dimensions: null }, never, () => {});
    return { atLoadBytes, workedBytes: measuredBytes(readFileOrNull, resident.pid) };
  } finally {
    await resident.stop();
  }
}
