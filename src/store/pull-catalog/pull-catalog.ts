import { readFileSync } from 'node:fs';
import { nameKey } from '../catalog/catalog.ts';
import { listAvailable } from './available.ts';
import { catalogFile, nameOnDisk, type PullableModel } from './entry.ts';

export { listAvailable };

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
