import { AppError } from '../../core/errors.ts';
import type { Preset } from '../../core/preset.ts';
import type { Aliases } from './aliases.ts';
import type { CatalogModel, CatalogVariant } from './group-files.ts';
import { assertWellFormedName, closeNames, nameKey, toModelName } from './names.ts';
import { findVariant } from './variants.ts';

/** What a name leads to; `variant` is null when the name leaves the choice open. */
export interface ResolvedName {
  model: CatalogModel;
  variant: CatalogVariant | null;
  /** Of a name that a client made: what requests by it are given. */
  preset?: Preset;
}

/** Longer than any file name: not worth folding and comparing. */
const longestName = 1_024;

/** Names have one colon, aliases may add one each. */
const mostColons = 8;

/**
 * Names over one set of models: aliases first, since the operator wrote them, then model names, then file stems, then
 * each of these with `:quantization`. Fills in the aliases of the models.
 */
export function createResolver(
  models: CatalogModel[],
  aliases: Aliases,
  builtinFile: string | null,
  knownNames: Readonly<Record<string, string>> = {},
) {
  const byName = new Map<string, ResolvedName>();
  // The names of files, each folded once: there may be thousands.
  const fileNames = models.flatMap((model) =>
    model.variants.flatMap((variant) =>
      [variant.stem, ...variant.otherNames].map((name) => ({ name, key: nameKey(name), model, variant })),
    ),
  );
  for (const { key, model, variant } of fileNames) if (!byName.has(key)) byName.set(key, { model, variant });
  for (const model of models) {
    for (const variant of model.variants) {
      const path = pathName(variant);
      const key = path === null ? null : nameKey(path);
      if (key !== null && !byName.has(key)) byName.set(key, { model, variant });
    }
  }
  // After the stems: where a stem equals another model's name, the model wins.
  for (const model of models) byName.set(nameKey(model.name), { model, variant: null });
  // Last of all: a name that models are known by never hides a file.
  for (const [name, target] of Object.entries(knownNames)) {
    const found = byName.get(nameKey(target));
    if (!found || byName.has(nameKey(name))) continue;
    byName.set(nameKey(name), { model: found.model, variant: null });
    pushOnce(found.model, name);
  }
  const builtin = findBuiltin(models, builtinFile);

  function lookUp(name: string, depth = 0): ResolvedName | null {
    if (depth > mostColons) return null;
    const followed = aliases.follow(name);
    const target = followed ?? name;
    const known = byName.get(nameKey(target));
    if (known) return known;
    if (nameKey(target) === 'default') return builtin;
    const colon = target.lastIndexOf(':');
    if (colon <= 0) return null;
    const baseName = target.slice(0, colon);
    // An alias may pin a variant of the model whose name it takes (`qwen` -> `qwen:q4_k_m`).
    const pinned = followed === null ? undefined : byName.get(nameKey(baseName));
    const base = pinned ?? lookUp(baseName, depth + 1);
    const tag = target.slice(colon + 1);
    // As other programs write the size of a model: `qwen2.5:0.5b` for `qwen2.5-0.5b`.
    if (!base) return byName.get(nameKey(`${baseName}-${tag}`)) ?? null;
    // Ollama's clients add this tag to names without one.
    if (tag.toLowerCase() === 'latest') return base;
    return { model: base.model, variant: findVariant(base.model, tag) };
  }

  function resolve(name: string): ResolvedName {
    if (name.length > longestName) assertWellFormedName(name);
    const found = lookUp(name);
    if (found) return found;
    assertWellFormedName(name);
    const target = aliases.follow(name);
    const usable = models.filter((model) => model.variants.some((variant) => variant.invalidReason === null));
    const close = closeNames(
      target ?? name,
      usable.map((model) => model.name),
    );
    throw new AppError(
      'model_not_found',
      `There is no model ${name}${target === null ? '' : ` (an alias for ${target})`}.`,
      {
        field: 'model',
        fix:
          close.length === 0
            ? 'Put a GGUF file into the model folder.'
            : `${nameKey(name) === 'default' ? 'Choose one with HEARTH_DEFAULT_MODEL. ' : ''}Models that are here: ${close.join(', ')}.`,
        details: { close },
      },
    );
  }

  for (const { alias } of [...aliases.entries, { alias: 'default' }]) addAlias(alias);
  for (const { name, key, model } of fileNames) {
    // An alias of the operator may hide a name of a file.
    if (byName.get(key)?.model === model && aliases.follow(name) === null) pushOnce(model, name);
  }

  function addAlias(alias: string): void {
    try {
      const found = lookUp(alias);
      if (found) pushOnce(found.model, alias);
    } catch (error) {
      // An alias for a quantization that is not here: using it says so, the list of models goes on.
      if (!(error instanceof AppError)) throw error;
    }
  }

  return { models, find: (name: string) => (name.length > longestName ? null : lookUp(name)), resolve };
}

/** The path in the model folder without `.gguf`: it names one file, whatever others are called. Null at the top. */
function pathName({ files, stem }: CatalogVariant): string | null {
  const slash = files[0]!.lastIndexOf('/');
  return slash === -1 ? null : `${toModelName(files[0]!.slice(0, slash))}/${stem}`;
}

function pushOnce(model: CatalogModel, alias: string): void {
  const key = nameKey(alias);
  if (key !== nameKey(model.name) && !model.aliases.some((other) => nameKey(other) === key)) model.aliases.push(alias);
}

function findBuiltin(models: readonly CatalogModel[], builtinFile: string | null): ResolvedName | null {
  if (builtinFile === null) return null;
  for (const model of models) {
    const variant = model.variants.find((candidate) => candidate.filePath === builtinFile);
    if (variant) return { model, variant };
  }
  return null;
}
