import { z } from 'zod';
import { storedFileId } from '../../../core/stored-files.ts';
import { count } from '../../fields/answer-values.ts';

/** What files are for here. */
export const uploadPurposes = ['batch', 'user_data', 'vision'] as const;

/** The life of a file as OpenAI bounds it. */
export const [minExpirySeconds, maxExpirySeconds] = [3_600, 2_592_000];

export const expiresAfter = z.object({
  anchor: z.literal('created_at'),
  seconds: z.number().int().min(minExpirySeconds).max(maxExpirySeconds),
});

/** A form as `/docs` shows it; `form.ts` reads it. */
export const uploadForm = z
  .object({
    file: z.string().meta({ format: 'binary', description: 'One file, with a name.' }),
    purpose: z.enum(uploadPurposes).meta({
      description: 'batch: requests for /v1/batches; user_data, vision: kept for you.',
    }),
    'expires_after[anchor]': z.literal('created_at').optional(),
    'expires_after[seconds]': z.int().min(minExpirySeconds).max(maxExpirySeconds).optional().meta({
      description: 'Left out: 30 days for batch, for ever for all others.',
    }),
  })
  .meta({
    id: 'OpenAiFileForm',
    override: ({ jsonSchema }) => {
      // Either says nothing without the other.
      jsonSchema.dependentRequired = {
        'expires_after[anchor]': ['expires_after[seconds]'],
        'expires_after[seconds]': ['expires_after[anchor]'],
      };
    },
  });

export const filePath = z.object({ file: z.string().meta({ description: 'Id of the file.' }) });

export const fileListQuery = z.object({
  purpose: z.string().max(64).optional(),
  limit: z
    .string()
    .regex(/^(?:[1-9]\d{0,3}|10000)$/, { error: 'must be a whole number from 1 to 10000' })
    .transform(Number)
    .optional(),
  order: z.enum(['asc', 'desc']).optional().meta({ description: 'desc, the newest first, is the default.' }),
  after: z
    .string()
    .regex(storedFileId, { error: 'must be the id of a file' })
    .optional()
    .meta({ description: 'Only files after the one of this id.' }),
});

export const fileAnswer = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: count,
    created_at: count,
    expires_at: count.optional().meta({ description: 'Left out: it stays until it is deleted.' }),
    filename: z.string(),
    purpose: z.string(),
    status: z.literal('processed'),
  })
  .meta({ id: 'OpenAiFile' });

export const fileListAnswer = z
  .object({
    object: z.literal('list'),
    data: z.array(fileAnswer),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'OpenAiFileList' });

export const deletedFile = z
  .object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) })
  .meta({ id: 'OpenAiDeletedFile' });
