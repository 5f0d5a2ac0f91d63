import { z } from 'zod';
import { redacted } from '../../../config/secret.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import { capabilities, pricing, rateLimits } from '../providers/providers.ts';

/** A secret is never in an answer: its schema has no room for one. */
const secret = z.literal(redacted).nullable();
const usd = z.number().min(0).nullable();
const seconds = z.number().min(0);
const budget = z.object({ daily: usd, weekly: usd, monthly: usd });
const rights = {
  scopes: z.array(z.enum(['inference', 'admin'])),
  models: z.array(z.string()).nullable(),
  cloud: z.boolean(),
};

const provider = z.object({
  enabled: z.boolean(),
  type: z.enum(['anthropic', 'bedrock', 'openai-compatible']),
  preset: z.string().nullable(),
  display_name: z.string(),
  base_url: z.string().nullable(),
  api_key: secret,
  api_version: z.string().nullable(),
  region: z.string().nullable(),
  headers: z.record(z.string(), z.literal(redacted)),
  first_byte_timeout: seconds,
  idle_timeout: seconds,
  timeout: seconds.nullable(),
  models: z.array(
    z.object({
      id: z.string(),
      aliases: z.array(z.string()),
      display_name: z.string().nullable(),
      context_window: count.nullable(),
      max_output_tokens: count.nullable(),
      is_default: z.boolean(),
      pricing: pricing.nullable(),
    }),
  ),
  rate_limits: rateLimits,
  batch: z.enum(['auto', 'on', 'off']),
  capabilities,
});

export const configAnswer = z
  .object({
    version: z.string(),
    global: z.object({
      cloud: z.enum(['allow', 'forbid']),
      default_provider: z.string().nullable(),
      default_model: z.string().nullable(),
      request_timeout: seconds,
      max_retries: count,
      health_probes: z.boolean(),
      enable_caching: z.boolean(),
      cache_ttl: count,
    }),
    providers: z.record(z.string(), provider),
    failover_chains: z.record(z.string(), z.array(z.string())),
    rate_limits: z.object({ per_key: rateLimits, per_address: rateLimits }),
    budgets: budget.extend({ per_key: budget, alert_at: z.number(), unknown_prices: z.enum(['refuse', 'allow']) }),
    ledger: z.object({ keep_days: count }),
    keys: z.array(
      z.object({
        name: z.string(),
        key: z.literal(redacted),
        expires: timestamp.nullable(),
        ...rights,
        rate_limits: rateLimits.nullable(),
        budget: budget.nullable(),
      }),
    ),
    jwt: z
      .object({
        issuer: z.string(),
        audience: z.array(z.string()),
        jwks_url: z.string().nullable().meta({ description: 'Null: its keys are in a file.' }),
        algorithms: z.array(z.string()),
        ...rights,
      })
      .nullable()
      .meta({ description: 'Null: no tokens are taken.' }),
  })
  .meta({ id: 'CloudConfiguration' });

export const statusAnswer = z
  .object({
    loaded: z.literal(true),
    config_path: z.string().nullable().meta({ description: 'Null: there is no file.' }),
    version: z.string(),
    last_reload: timestamp,
    providers_count: count,
    enabled_providers: z.array(z.string()),
    validation_status: z
      .enum(['valid', 'invalid'])
      .meta({ description: 'Of the file as it was last read; the last good one is in force.' }),
    error: z.string().nullable().meta({ description: 'What is wrong with it, with line and path.' }),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'ConfigurationStatus' });

export const settingsAnswer = z
  .object({
    settings: z.array(
      z.object({
        name: z.string().meta({ description: 'By its name in the file: `server.port`.' }),
        value: z.unknown().meta({ description: 'Null: nothing sets it, and it has no default.' }),
        origin: z.string().meta({ description: 'A flag, a variable, `file:line:column`, or `default`.' }),
      }),
    ),
  })
  .meta({ id: 'Settings' });

export const reloadBody = z.strictObject({ validate_only: z.boolean().optional() }).meta({ id: 'ReloadRequest' });

export const reloadAnswer = z
  .object({
    status: z.literal('success'),
    message: z.string(),
    changes: z.object({
      providers_added: z.array(z.string()),
      providers_removed: z.array(z.string()),
      settings_changed: z.array(z.string()),
      restart_required: z.array(z.string()).meta({ description: 'Settings that change only with a restart.' }),
    }),
  })
  .meta({ id: 'ReloadResponse' });

export const validateBody = z
  .strictObject({
    config_path: z
      .string()
      .min(1)
      .max(4_096)
      .optional()
      .meta({ description: 'Name of a YAML file beside the one in force, or the end of the path of that one.' }),
    yaml: z.string().max(1_048_576).optional().meta({ description: 'The text of a file.' }),
  })
  .refine(({ config_path, yaml }) => (config_path === undefined) !== (yaml === undefined), {
    error: 'needs one of config_path and yaml',
    path: ['yaml'],
  })
  .meta({
    id: 'ValidateRequest',
    override: { oneOf: [{ required: ['config_path'] }, { required: ['yaml'] }] },
    examples: [{ yaml: 'global: { max_retries: 3 }' }],
  });

export const validateAnswer = z
  .object({ valid: z.boolean(), errors: z.array(z.string()), warnings: z.array(z.string()) })
  .meta({ id: 'ValidateResponse' });
