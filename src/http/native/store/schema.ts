import { z } from 'zod';
import {
  availableModel,
  foundModel,
  foundModels,
  pullInfo,
  pullWish,
  removedModel,
  storedModel,
  suggestedModel,
} from '../../../core/pull.ts';
import { snakeCaseSchema } from '../../../wire/snake-case.ts';
import { count } from '../../fields/answer-values.ts';
import { wholeNumber } from '../../fields/query-values.ts';
import type { NativeMount } from '../mounts/mounts.ts';

/** Bodies and answers of the routes that bring models and take them away. */

/** What the store takes for a branch, a tag or a commit, said in a pattern for `/openapi.json`. */
const revisionPattern = '^(?!.*(?:\\.\\.|//))[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9._-])?$';

export const pullBody = pullWish
  .extend({ revision: pullWish.shape.revision.meta({ override: { pattern: revisionPattern } }) })
  .meta({ id: 'PullRequest', examples: [{ name: 'qwen-7b-chat', quantization: 'q4_k_m' }] });

export const importBody = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .max(4_096)
      .meta({
        override: { pattern: '^[^\\u0000]*$' },
        description: 'Absolute path on the server, in one of the folders of models.import_folders.',
      }),
  })
  .meta({ id: 'ImportRequest' });

export const pullPath = z.object({ id: z.string() });

export const cancelQuery = z.strictObject({
  discard: z
    .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
    .optional()
    .meta({ description: 'Also delete what arrived, and forget the pull.' }),
});

/** A pull with what a reader would have to compute. */
export const nativePull = snakeCaseSchema(pullInfo)
  .extend({
    percent: z.number().meta({ description: 'Rounded down: 100 means that everything is there.' }),
    eta_seconds: count.nullable(),
  })
  .meta({ id: 'Pull' });

/** What a record of the stream of a pull holds, and its name. */
export const pullData = ({ endsWithDone }: NativeMount) =>
  z.union([nativePull, ...(endsWithDone ? [z.literal('[DONE]')] : [])]);
/** The record that ends the stream with `[DONE]` has no name, which counts as "message". */
export const pullEvent = z.enum(['progress', 'done', 'failed', 'cancelled', 'resumable', 'message']).optional();

export const pullAnswer = z
  .object({ status: z.literal('accepted'), pull: nativePull, message: z.string() })
  .meta({ id: 'PullResponse' });

export const cancelAnswer = z
  .object({ status: z.literal('success'), pull: nativePull, message: z.string() })
  .meta({ id: 'CancelPullResponse' });

export const pullList = z.object({ pulls: z.array(nativePull) }).meta({ id: 'PullList' });

const nativeStored = snakeCaseSchema(storedModel);

export const removeAnswer = z
  .object({ status: z.literal('success'), removed: z.array(snakeCaseSchema(removedModel)), message: z.string() })
  .meta({ id: 'RemoveResponse' });

export const importAnswer = z
  .object({ status: z.literal('success'), ...nativeStored.shape, message: z.string() })
  .meta({ id: 'ImportResponse' });

const nativeAvailable = snakeCaseSchema(availableModel.omit({ contextTokens: true }))
  .extend({ context_length: availableModel.shape.contextTokens })
  .meta({ id: 'AvailableModel' });

export const searchQuery = z.strictObject({
  query: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .meta({ description: 'Words of the name, such as `qwen3 4b`.', examples: ['qwen3 4b'] }),
  limit: wholeNumber(1, 20).optional().meta({ description: 'Most models of the hub; 10 where left out.' }),
});

export const foundList = snakeCaseSchema(foundModels)
  .extend({ models: z.array(snakeCaseSchema(foundModel).meta({ id: 'FoundModel' })) })
  .meta({ id: 'FoundModelList' });

export const suggestedList = z
  .object({ models: z.array(snakeCaseSchema(suggestedModel).meta({ id: 'SuggestedModel' })) })
  .meta({ id: 'SuggestedModelList' });

export const availableList = z.object({ models: z.array(nativeAvailable) }).meta({ id: 'AvailableModelList' });
