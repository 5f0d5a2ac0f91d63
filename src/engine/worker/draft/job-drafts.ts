import type { WorkerRequest } from '../../ipc/protocol.ts';
import type { JobDrafts } from '../job.ts';
import { answerKey } from './answer-key.ts';
import type { EarlierAnswers } from './earlier-answers.ts';
import { createOwnTextSource } from './own-text.ts';
import { inOrder } from './source.ts';

/** The guesses for one request: from its own text first, then from earlier answers to requests like it. */
export function draftsOf(request: WorkerRequest, prompt: readonly number[], earlier: EarlierAnswers): JobDrafts {
  const key = answerKey(request);
  return {
    source: (generated) =>
      inOrder([createOwnTextSource(prompt, generated), ...(key === null ? [] : [earlier.source(key, generated)])]),
    keep(generated) {
      if (key !== null) earlier.add(key, generated);
    },
  };
}
