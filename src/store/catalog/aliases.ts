import { AppError } from '../../core/errors.ts';
import { nameKey } from './names.ts';

/** The operator's own names. */
export interface Aliases {
  /** Follows aliases from `name` to a name that is none; null when `name` is no alias. `default` may be one. */
  follow(name: string): string | null;
  /** Whether a name is an alias of something else than a variant of the model of that name: a model called so is hidden. */
  leadsAway(name: string): boolean;
  /** Every alias as it was written, with the name it finally leads to. */
  entries: { alias: string; target: string }[];
}

/** `defaultModel` becomes the alias `default`. Throws `invalid_request` when aliases lead in a circle. */
export function createAliases(aliases: Readonly<Record<string, string>>, defaultModel: string | null): Aliases {
  const all = new Map(Object.entries(aliases).map(([alias, target]) => [nameKey(alias), { alias, target }]));
  if (defaultModel !== null) all.set('default', { alias: 'default', target: defaultModel });

  function follow(name: string): string | null {
    let target: string | null = null;
    const seen = new Set<string>();
    for (let entry = all.get(nameKey(name)); entry; entry = all.get(nameKey(entry.target))) {
      if (seen.has(entry.alias)) {
        throw new AppError('invalid_request', `The alias ${entry.alias} leads back to itself.`, {
          field: 'models.aliases',
        });
      }
      seen.add(entry.alias);
      target = entry.target;
    }
    return target;
  }

  function leadsAway(name: string): boolean {
    const target = follow(name);
    return target !== null && !nameKey(target).startsWith(`${nameKey(name)}:`);
  }

  return { follow, leadsAway, entries: [...all.values()].map(({ alias }) => ({ alias, target: follow(alias)! })) };
}
