import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { canonicalQuantization, nameKey, parseFileName } from './catalog/names.ts';

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
  /** Tokens that the model was made for. */
  contextTokens: z.int().positive(),
  /** The first one is pulled when none is named. Quantizations that are not listed are looked for in the repository. */
  variants: z.array(variant).min(1),
  note: z.string().optional(),
});

const catalogFile = z.strictObject({ version: z.literal(1), models: z.array(entry).min(1) });

/** A model that can be pulled by a plain name. */
export type PullableModel = z.output<typeof entry>;

/** One quantization of it. */
export type PullableVariant = z.output<typeof variant>;

/** The hand-picked models that `pull` knows by name. */
export interface PullCatalog {
  models: readonly PullableModel[];
  /** By name or alias, without regard to case; null when there is none. */
  find(name: string): PullableModel | null;
  /** Every name and alias, to the name that the model has on disk once it was pulled. */
  namesOnDisk(): Record<string, string>;
}

/** Reads and checks `models/catalog.json`. Throws a `SyntaxError` or a `ZodError`: the file is part of the program. */
export function readPullCatalog(path: string | URL): PullCatalog {
  const { models } = catalogFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  const byName = new Map<string, PullableModel>();
  for (const model of models) {
    for (const name of [model.name, ...(model.aliases ?? [])]) {
      if (byName.has(nameKey(name))) throw new SyntaxError(`${name} stands twice in the catalogue`);
      byName.set(nameKey(name), model);
    }
  }
  return { models, find: (name) => byName.get(nameKey(name)) ?? null, namesOnDisk: () => namesOnDisk(models) };
}

function namesOnDisk(models: readonly PullableModel[]): Record<string, string> {
  const names: Record<string, string> = {};
  for (const { name, aliases = [], variants } of models) {
    const onDisk = nameOnDisk({ variants });
    if (onDisk !== null) for (const each of [name, ...aliases]) names[each] = onDisk;
  }
  return names;
}

/** The name that a pulled model has among the models on disk: that of its files. */
export function nameOnDisk({ variants }: Pick<PullableModel, 'variants'>): string | null {
  return parseFileName(basename(variants[0]!.files[0]!.path))?.name ?? null;
}
