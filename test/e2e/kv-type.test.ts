import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';

import { startWorker } from '../../src/engine/residents/model-worker.ts';
import { forkWorker } from '../../src/ipc/fork.ts';
import type { WorkerOptions } from '../../src/ipc/protocol.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { anyRequest } from '../support/fake-worker.ts';
import { foldFlat } from '../support/flat-answer.ts';
import { builtInModels } from '../support/models.ts';
import { cleanEnvironment } from '../support/server.ts';

const options: WorkerOptions = {
  purpose: 'generate',
  model: 'm',
  modelPath: join(builtInModels, 'hearth-guide-3m-q8_0.gguf'),
  contextTokens: 512,
  slots: 1,
  batchTokens: 128,
  useMmap: false,
  kvType: 'f16',
  flashAttention: false,
  vault: null,
  libuvThreads: 1,
  drafts: false,
  maxThreads: 1,
  threads: 1,
  gpu: null,
};

/** What the built-in model was taught, so that the likeliest token is far ahead of the next. */
const questions = ['What is Hearth?', 'What is GGUF?', 'Thanks!'];

function load(changes: Partial<WorkerOptions>) {
  return startWorker({
    worker: forkWorker({ env: cleanEnvironment(), libuvThreads: 1 }),
    options: { ...options, ...changes },
    loadTimeoutMs: 120_000,
    clock: systemClock,
    log: createLogger('silent'),
    onStep: () => {},
  });
}

async function answers(changes: Partial<WorkerOptions>): Promise<string[]> {
  const resident = await load(changes);
  const texts: string[] = [];
  for (const text of questions) {
    const request = {
      ...anyRequest,
      input: {
        type: 'chat' as const,
        messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text }] }],
        tools: [],
        toolChoice: { type: 'auto' as const },
      },
      sampling: { temperature: 0 },
      maxTokens: 80,
    };
    const hooks = { onToken: () => {}, onSettled: () => {} };
    texts.push((await foldFlat(resident.generate(request, new AbortController().signal, hooks))).text);
  }
  await resident.stop();
  return texts;
}

describe('a key-value cache of 8 bits', () => {
  it('gives the answers of one of 16 bits', async () => {
    const expected = await answers({});
    expect(expected[0]).toMatch(/^Hearth is a server/);
    expect(await answers({ kvType: 'q8_0', flashAttention: true })).toEqual(expected);
  });

  it('does not load without the fused kernel, which a plan therefore always sets', async () => {
    await expect(load({ kvType: 'q8_0' })).rejects.toThrow(/context/);
  });
});
