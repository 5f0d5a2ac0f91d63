import { z } from 'zod';
import { AppError, type ErrorCode, errorCatalogue } from '../core/errors.ts';
import type { AvailableView, DecisionView, ModelList, PullView } from './client.ts';

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
        })),
      ),
    }),
  );

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

const errorAnswer = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.object({ fix: z.string().optional() }).loose() }),
});

/** The failure behind an answer of status 400 or more. */
export function toError(status: number, body: unknown): AppError {
  const parsed = errorAnswer.safeParse(body);
  if (!parsed.success) return new AppError('internal_error', `The server answered with status ${status}.`);
  const { code, message, details } = parsed.data.error;
  return new AppError(errorCode(code.toLowerCase()), message, details.fix === undefined ? {} : { fix: details.fix });
}

function errorCode(code: string): ErrorCode {
  const isKnown = (name: string): name is ErrorCode => Object.hasOwn(errorCatalogue, name);
  return isKnown(code) ? code : 'internal_error';
}
