import { basename } from 'node:path';
import { z } from 'zod';
import { canonicalQuantization, parseFileName } from '../gguf/gguf.ts';

const file = z.strictObject({
  /** Path inside the repository. */
  path: z.string().regex(/^(?:\w[\w.+-]*\/)*\w[\w.+-]*\.gguf$/),
  /** Size and hash as the hub gives them, where they are known; the hub's own answer decides at the time of a pull. */
  bytes: z.int().positive().optional(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});

const variant = z.strictObject({
  quantization: z
    .string()
    .refine(
      (label) => label === canonicalQuantization(label),
      'must be written in lower case, as the catalogue of files writes it',
    ),
  /** All parts of a split file, in order. */
  files: z.array(file).min(1),
});

const entry = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  aliases: z.array(z.string().regex(/^[a-z0-9][a-z0-9.-]*$/)).optional(),
  title: z.string().min(1),
  /** The architecture that the file's header names. */
  family: z.string().min(1),
  kind: z.enum(['chat', 'embedding', 'rerank']),
  /** The smallest machine, by its memory in GB, on which the first variant runs beside other services. */
  machineGb: z.literal([4, 8, 16, 32]),
  /** `owner/name` on the hub. */
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  /** The hub's label of the licence. */
  licence: z.string().min(1),
  parameters: z.int().positive(),
  /** Of a mixture of experts: those that a token is multiplied with. */
  activeParameters: z.int().positive().optional(),
  /** Tokens that the model was made for. */
  contextTokens: z.int().positive(),
  /** The first one is pulled when none is named. Quantizations that are not listed are looked for in the repository. */
  variants: z.array(variant).min(1),
  note: z.string().optional(),
});

/** `models/catalog.json`. */
export const catalogFile = z.strictObject({ version: z.literal(1), models: z.array(entry).min(1) });

/** A model that can be pulled by a plain name. */
export type PullableModel = z.output<typeof entry>;

/** One quantization of it. */
export type PullableVariant = z.output<typeof variant>;

/** The name that a pulled model has among the models on disk: that of its files. */
export function nameOnDisk({ variants }: Pick<PullableModel, 'variants'>): string | null {
  return parseFileName(basename(variants[0]!.files[0]!.path))?.name ?? null;
}
