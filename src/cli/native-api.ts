import { z } from 'zod';
import { AppError, type ErrorCode, errorCatalogue } from '../core/errors.ts';
import type { AvailableView, DecisionView, ModelList, ProviderTest, ProviderView, PullView } from './client.ts';

/** What commands read of the native API's answers. Unknown fields are left alone: the server may be a newer one. */

/** By this `GET /health` says that it is Hearth that answers. */
export const hello = z.object({ server: z.literal('hearth') });

/** One pull, as events and answers carry it. */
export const pullView = z
  .object({
    id: z.string(),
    model: z.string(),
    repository: z.string(),
    state: z.string(),
    total_bytes: z.number(),
    received_bytes: z.number(),
    bytes_per_second: z.number().nullable(),
    plan: z.object({ message: z.string() }).nullable(),
    notes: z.array(z.string()),
    error: z.object({ message: z.string(), fix: z.string().nullable() }).nullable(),
  })
  .transform(
    ({ total_bytes, received_bytes, bytes_per_second, plan, notes, error, ...pull }): PullView => ({
      ...pull,
      totalBytes: total_bytes,
      receivedBytes: received_bytes,
      bytesPerSecond: bytes_per_second,
      planMessage: plan?.message ?? null,
      notes,
      error,
    }),
  );

/** `GET /models`, a line for each variant. */
export const modelViews = z
  .object({
    models: z.array(
      z.object({
        name: z.string(),
        aliases: z.array(z.string()).default([]),
        made_names: z.array(z.string()).default([]),
        state: z.string(),
        quantization: z.string(),
        variants: z.array(
          z.object({ quantization: z.string(), size_bytes: z.number(), reason: z.string().nullable() }),
        ),
      }),
    ),
    left_out: z.array(z.string()).default([]),
  })
  .transform(
    ({ models, left_out }): ModelList => ({
      leftOut: left_out,
      models: models.flatMap((model) =>
        model.variants.map(({ quantization, size_bytes, reason }) => ({
          model: `${model.name}:${quantization}`,
          sizeBytes: size_bytes,
          // The state is that of the variant that is loaded or would be.
          state:
            reason !== null ? `invalid: ${reason}` : quantization === model.quantization ? model.state : 'unloaded',
          names: quantization === model.quantization ? otherNames(model, quantization) : [],
        })),
      ),
    }),
  );

/** Names that somebody chose; that of the file says nothing new. */
export function otherNames(
  model: { name: string; aliases: readonly string[]; made_names: readonly string[] },
  quantization: string,
): string[] {
  const ofFile = `${model.name}-${quantization}`.toLowerCase();
  return [...model.aliases.filter((alias) => alias.toLowerCase() !== ofFile), ...model.made_names];
}

/** `POST /decide`. */
export const decisionViews = z
  .object({
    answers: z.array(
      z
        .object({
          type: z.string(),
          probability: z.number().optional(),
          probabilities: z.array(z.object({ label: z.string(), probability: z.number() })).optional(),
          score: z.number().optional(),
          confidence: z.number().optional(),
          label_mass: z.number(),
          reason: z.string().optional(),
        })
        .transform(
          ({ type, probability, probabilities = [], score, confidence, label_mass, reason }): DecisionView => ({
            type,
            probabilities: probability === undefined ? probabilities : [{ label: 'yes', probability }],
            score: score ?? null,
            confidence: confidence ?? null,
            labelMass: label_mass,
            reason: reason ?? null,
          }),
        ),
    ),
  })
  .transform(({ answers }) => answers);

/** `GET /catalog`. */
export const availableViews = z
  .object({
    models: z.array(
      z
        .object({
          name: z.string(),
          aliases: z.array(z.string()).default([]),
          title: z.string(),
          kind: z.string(),
          machine_gb: z.number(),
          context_length: z.number(),
          licence: z.string(),
          quantizations: z.array(
            z
              .object({ quantization: z.string(), size_bytes: z.number().nullable(), on_disk: z.boolean() })
              .transform(({ quantization, size_bytes, on_disk }) => ({
                quantization,
                sizeBytes: size_bytes,
                onDisk: on_disk,
              })),
          ),
          advice: z.object({ message: z.string() }).nullable().default(null),
          on_disk: z.boolean(),
        })
        .transform(
          ({ machine_gb, context_length, on_disk, quantizations, ...model }): AvailableView => ({
            ...model,
            machineGb: machine_gb,
            contextTokens: context_length,
            quantizations,
            onDisk: on_disk,
          }),
        ),
    ),
  })
  .transform(({ models }) => models);

/** `DELETE /models/{name}`: the files that are gone. */
export const removedModels = z
  .object({
    removed: z.array(
      z
        .object({ model: z.string(), size_bytes: z.number(), freed_bytes: z.number().optional() })
        .transform(({ model, size_bytes, freed_bytes }) => ({
          model,
          sizeBytes: size_bytes,
          // An older server does not say.
          freedBytes: freed_bytes ?? size_bytes,
        })),
    ),
  })
  .transform(({ removed }) => removed);

/** `GET /api/v1/providers`. */
export const providersPath = '/api/v1/providers';
export const providerViews = z
  .object({
    providers: z.array(
      z
        .object({
          id: z.string(),
          type: z.string(),
          enabled: z.boolean(),
          status: z.string(),
          models_count: z.number(),
          default_model: z.string().nullable(),
        })
        .transform(
          ({ models_count, default_model, ...provider }): ProviderView => ({
            ...provider,
            modelsCount: models_count,
            defaultModel: default_model,
          }),
        ),
    ),
  })
  .transform(({ providers }) => providers);

/** `POST /api/v1/providers/{id}/test`. */
export const testPath = (id: string) => `${providersPath}/${encodeURIComponent(id)}/test`;
export const providerTest = z
  .object({
    provider_id: z.string(),
    answered: z.boolean(),
    status: z.string(),
    latency_ms: z.number().nullable(),
    error: z.string().nullable(),
  })
  .transform(
    ({ provider_id, answered, status, latency_ms, error }): ProviderTest => ({
      id: provider_id,
      answered,
      status,
      latencyMs: latency_ms,
      error,
    }),
  );

/** A key, of `GET /api/v1/keys` and its like. */
export const keyView = z.object({
  id: z.string().nullable(),
  name: z.string(),
  from: z.string(),
  ending: z.string().nullable(),
  scopes: z.array(z.string()),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  models: z.array(z.string()).nullable(),
  cloud: z.boolean(),
  budget: z
    .object({ daily: z.string().nullable(), weekly: z.string().nullable(), monthly: z.string().nullable() })
    .nullable(),
  rate_limits: z
    .object({
      requests_per_minute: z.number().nullable(),
      tokens_per_minute: z.number().nullable(),
      requests_per_day: z.number().nullable(),
    })
    .nullable(),
});

/** `POST /api/v1/keys`. */
export const madeKeyView = keyView.extend({ key: z.string() });

/** `GET /api/v1/keys`. */
export const keyViews = z.object({ keys: z.array(keyView) }).transform(({ keys }) => keys);

const errorAnswer = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.object({ fix: z.string().optional() }).loose() }),
});

/** An error of `/api/v1`; what can be done about it is part of its text. */
const apiErrorAnswer = z.object({ code: z.string(), detail: z.string() });

/** An error of `/v1`, likewise. */
const openAiErrorAnswer = z.object({
  error: z.object({ type: z.string(), code: z.string(), message: z.string() }),
});

/** An error of Ollama's API: a sentence, whose code is that of its status. */
const ollamaErrorAnswer = z.object({ error: z.string() });

/** The failure behind an answer of status 400 or more. */
export function toError(status: number, body: unknown): AppError {
  const ofApi = apiErrorAnswer.safeParse(body);
  if (ofApi.success) return new AppError(errorCode(ofApi.data.code), ofApi.data.detail);
  const ofOpenAi = openAiErrorAnswer.safeParse(body);
  if (ofOpenAi.success) return new AppError(errorCode(ofOpenAi.data.error.code), ofOpenAi.data.error.message);
  const ofOllama = ollamaErrorAnswer.safeParse(body);
  if (ofOllama.success) return new AppError(statusCode(status), ofOllama.data.error);
  const parsed = errorAnswer.safeParse(body);
  if (!parsed.success) return new AppError('internal_error', `The server answered with status ${status}.`);
  const { code, message, details } = parsed.data.error;
  return new AppError(errorCode(code.toLowerCase()), message, details.fix === undefined ? {} : { fix: details.fix });
}

/** What commands tell apart. */
const codesOfStatuses: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'model_not_found',
};

const statusCode = (status: number): ErrorCode => codesOfStatuses[status] ?? 'internal_error';

function errorCode(code: string): ErrorCode {
  const isKnown = (name: string): name is ErrorCode => Object.hasOwn(errorCatalogue, name);
  return isKnown(code) ? code : 'internal_error';
}
