import { readFileSync } from 'node:fs';
import { forkWorker } from '../../src/engine/ipc/fork.ts';
import type { FromWorker, WorkerOptions } from '../../src/engine/ipc/protocol.ts';
import { measuredBytes } from '../../src/engine/memory/resident-bytes.ts';
import { anyRequest } from './fake-worker.ts';
import { cleanEnvironment } from './server.ts';

const readText = (path: string) => readFileSync(path, 'utf8');

/** Physical memory of a real worker right after its load, and after a prompt that filled batch and context. */
export async function footprintOf(
  options: WorkerOptions,
  prompt: string,
): Promise<{ atLoadBytes: number; workedBytes: number }> {
  const worker = forkWorker({ env: cleanEnvironment(), libuvThreads: 1 });
  const exited = new Promise<void>((resolve) => worker.onExit(() => resolve()));
  const listeners = new Set<(message: FromWorker) => void>();
  worker.onMessage((message) => {
    for (const listener of [...listeners]) listener(message);
  });
  const first = (matches: (message: FromWorker) => boolean) =>
    new Promise<FromWorker>((resolve) => {
      const listener = (message: FromWorker) => {
        if (!matches(message)) return;
        listeners.delete(listener);
        resolve(message);
      };
      listeners.add(listener);
    });
  try {
    const ready = first(({ type }) => type === 'ready' || type === 'load-failed');
    worker.send({ type: 'load', options });
    const answer = await ready;
    if (answer.type === 'load-failed') throw new Error(answer.error.message);
    const atLoadBytes = measuredBytes(readText, worker.pid);
    const done = first(
      (message) =>
        message.type === 'embedded' ||
        message.type === 'refused' ||
        (message.type === 'step' && message.items.some((item) => 'error' in item || item.event.type === 'finish')),
    );
    if (options.mode === 'generate') {
      const request = { ...anyRequest, input: { type: 'text' as const, prompt }, maxTokens: 8 };
      worker.send({ type: 'generate', id: 1, request });
    } else worker.send({ type: 'embed', id: 1, request: { inputs: [prompt], dimensions: null } });
    const end = await done;
    if (end.type === 'refused') throw new Error(end.error.message);
    if (end.type === 'step') for (const item of end.items) if ('error' in item) throw new Error(item.error.message);
    return { atLoadBytes, workedBytes: measuredBytes(readText, worker.pid) };
  } finally {
    worker.kill('SIGKILL');
    await exited;
  }
}
