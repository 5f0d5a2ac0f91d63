import { z } from 'zod';
import { parseUsd } from '../../../core/money.ts';
import { count, timestamp } from '../../fields/answer-values.ts';

/** An amount as a number, which is taken to the billionth, or as a text that says it exactly. */
const usd = z
  .union(
    [
      z
        .number()
        .min(0)
        .max(1e12)
        .transform((amount) => amount.toFixed(9)),
      z.string().regex(/^\$?\d{1,12}(\.\d{1,9})?$/),
    ],
    { error: 'must be an amount in USD, such as 2.50' },
  )
  .transform((amount) => parseUsd(amount));
const limit = z
  .int()
  .min(1)
  .max(2 ** 40);
const scope = z.enum(['inference', 'admin']);
const modelName = z
  .string()
  .max(1_024)
  .regex(/[^\s\ufeff]/, 'must not be empty')
  .transform((name) => name.trim());

/** `POST /keys`. */
export const keyBody = z
  .strictObject({
    name: z
      .string()
      .regex(/^[^\s,\ufeff]{1,64}$/u, 'must be 1 to 64 characters without blanks and commas')
      .meta({ description: 'For people: in lists and in the ledger.', examples: ['kitchen'] }),
    scopes: z.array(scope).min(1).max(2).optional().meta({ description: 'Left out: `inference`.' }),
    expires_at: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: 'When it stops to open anything; left out: never.' }),
    models: z
      .array(modelName)
      .min(1)
      .max(1_024)
      .optional()
      .meta({ description: 'Names of models that it may ask for; left out: all.' }),
    cloud: z
      .boolean()
      .optional()
      .meta({ description: 'Whether its requests may leave the house; left out: they may.' }),
    budget: z
      .strictObject({ daily: usd.optional(), weekly: usd.optional(), monthly: usd.optional() })
      .optional()
      .meta({ description: 'Most that it may spend, in USD; left out: as all keys.' }),
    rate_limits: z
      .strictObject({
        requests_per_minute: limit.optional(),
        tokens_per_minute: limit.optional(),
        requests_per_day: limit.optional(),
      })
      .optional()
      .meta({ description: 'Most that it may ask; left out: as all keys.' }),
  })
  .meta({ id: 'KeyRequest', examples: [{ name: 'kitchen', models: ['qwen3-4b'], cloud: false }] });

const amount = z.string().nullable().meta({ description: 'USD' });

/** A key without the key itself. */
export const keyObject = z
  .object({
    id: z.string().nullable().meta({ description: 'Null: it stands in the configuration, which alone takes it away.' }),
    name: z.string(),
    from: z.enum(['made', 'file', 'setting']).meta({
      description: '`made`: by command or API; `file`: of `keys` in the file; `setting`: of `server.api_key`.',
    }),
    ending: z.string().nullable().meta({ description: 'Its last characters.' }),
    scopes: z.array(scope),
    created_at: timestamp.nullable(),
    expires_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
    models: z.array(z.string()).nullable(),
    cloud: z.boolean(),
    budget: z.object({ daily: amount, weekly: amount, monthly: amount }).nullable(),
    rate_limits: z
      .object({
        requests_per_minute: count.nullable(),
        tokens_per_minute: count.nullable(),
        requests_per_day: count.nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'Key' });

export const keyList = z.object({ keys: z.array(keyObject) }).meta({ id: 'KeyList' });

/** The only answer that holds the key. */
export const madeKeyAnswer = z
  .object({ key: z.string().meta({ description: 'Shown this once.' }), ...keyObject.shape })
  .meta({ id: 'MadeKey' });

export const keyPath = z.object({ id: z.string().min(1).max(128).meta({ description: 'Its id, or its name.' }) });
