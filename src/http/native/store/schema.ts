import { z } from 'zod';

/** Bodies and answers of the routes that bring models and take them away. */

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const timestamp = z.string().meta({ description: 'ISO 8601, UTC' });

export const pullBody = z
  .strictObject({
    name: z.string().min(1).max(500).meta({
      description:
        'A name of the catalogue, hf.co/org/repo:q4_k_m, hf:org/repo:q4_k_m, org/repo or org/repo/file.gguf.',
    }),
    quantization: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/, { error: 'not a quantization label such as q4_0' })
      .optional(),
    revision: z.string().min(1).max(128).optional().meta({ description: 'Branch, tag or commit; left out: main.' }),
    force: z.boolean().optional().meta({ description: 'Pull it although it can never fit into the memory.' }),
  })
  .meta({ id: 'PullRequest', examples: [{ name: 'qwen-7b-chat', quantization: 'q4_k_m' }] });

export const importBody = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .max(4_096)
      .meta({ description: 'Absolute path on the server, in one of the folders of models.import_folders.' }),
  })
  .meta({ id: 'ImportRequest' });

export const pullPath = z.object({ id: z.string() });

export const cancelQuery = z.strictObject({
  discard: z
    .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
    .optional()
    .meta({ description: 'Also delete what arrived, and forget the pull.' }),
});

export const nativePull = z
  .object({
    id: z.string(),
    name: z.string().meta({ description: 'What was asked for.' }),
    model: z.string().meta({ description: 'Name to ask for afterwards.' }),
    repository: z.string(),
    revision: z.string().meta({ description: 'Commit of the repository.' }),
    quantization: z.string(),
    state: z.enum(['queued', 'waiting', 'downloading', 'verifying', 'done', 'failed', 'cancelled', 'resumable']),
    files: z.array(z.object({ path: z.string(), size_bytes: count, received_bytes: count })),
    total_bytes: count,
    received_bytes: count,
    percent: z.number(),
    bytes_per_second: count.nullable(),
    eta_seconds: count.nullable(),
    plan: z
      .object({ fits: z.boolean(), needed_bytes: count, available_bytes: count, message: z.string() })
      .nullable()
      .meta({ description: 'What the header of the model says of the memory that it needs.' }),
    notes: z.array(z.string()).meta({ description: 'For example why it waits.' }),
    error: z
      .object({
        code: z.string(),
        message: z.string(),
        fix: z.string().nullable(),
        details: z.record(z.string(), z.unknown()),
      })
      .nullable(),
    started_at: timestamp,
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'Pull' });

export const pullAnswer = z
  .object({ status: z.literal('accepted'), pull: nativePull, message: z.string() })
  .meta({ id: 'PullResponse' });

export const cancelAnswer = z
  .object({ status: z.literal('success'), pull: nativePull, message: z.string() })
  .meta({ id: 'CancelPullResponse' });

export const pullList = z.object({ pulls: z.array(nativePull) }).meta({ id: 'PullList' });

const storedModel = z.object({ model: z.string(), files: z.array(z.string()), size_bytes: count });

export const removeAnswer = z
  .object({ status: z.literal('success'), removed: z.array(storedModel), message: z.string() })
  .meta({ id: 'RemoveResponse' });

export const importAnswer = z
  .object({ status: z.literal('success'), ...storedModel.shape, message: z.string() })
  .meta({ id: 'ImportResponse' });

export const availableList = z
  .object({
    models: z.array(
      z
        .object({
          name: z.string().meta({ description: 'What to pull, and to ask for afterwards.' }),
          aliases: z.array(z.string()),
          title: z.string(),
          kind: z.enum(['chat', 'embedding', 'rerank']),
          machine_gb: count.meta({ description: 'Memory of the smallest machine that it is meant for.' }),
          parameters: count,
          context_length: count,
          licence: z.string(),
          repository: z.string(),
          note: z.string().nullable(),
          quantizations: z
            .array(
              z.object({
                quantization: z.string(),
                size_bytes: count.nullable().meta({ description: 'Null where only the hub knows.' }),
                on_disk: z.boolean(),
              }),
            )
            .meta({ description: 'The first is pulled when none is named; the hub may have more.' }),
          on_disk: z.boolean().meta({ description: 'Whether any quantization is on disk.' }),
        })
        .meta({ id: 'AvailableModel' }),
    ),
  })
  .meta({ id: 'AvailableModelList' });
