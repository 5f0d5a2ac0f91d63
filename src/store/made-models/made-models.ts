import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import type { Preset } from '../../core/preset.ts';
import type { MadeModel } from '../../core/pull.ts';
import { replaceFile } from '../../files/files.ts';
import type { Logger } from '../../observe/logger.ts';
import { storageError } from '../disk/disk.ts';
import { madeNameKey } from './name.ts';

export { withoutLatest } from './name.ts';

/** Names that clients made for models on disk. The file is the truth; every change is on the disk when it resolves. */
export interface MadeModels {
  /** By name. */
  list(): readonly MadeModel[];
  /** By any way of writing the name, with `:latest` or without. */
  find(name: string): MadeModel | null;
  /** Adds one, or replaces the one of that name. Rejects with `storage_unavailable`, `invalid_request` where there are too many. */
  set(model: MadeModel): Promise<void>;
  /** Rejects with `storage_unavailable`. */
  remove(name: string): Promise<void>;
}

const mostModels = 1_000;

const sampling = z.object({
  temperature: z.number().optional(),
  topP: z.number().optional(),
  topK: z.number().optional(),
  minP: z.number().optional(),
  typicalP: z.number().optional(),
  seed: z.number().optional(),
  repeatPenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  presencePenalty: z.number().optional(),
  penaltyTokens: z.number().optional(),
});

const preset = z.object({
  system: z.string().optional(),
  sampling: sampling.optional(),
  stop: z.array(z.string()).optional(),
  maxTokens: z.int().optional(),
  contextTokens: z.int().optional(),
  template: z.string().optional(),
});

const file = z.object({
  models: z.array(
    z.object({
      name: z.string(),
      from: z.string(),
      preset,
      ownsFile: z.boolean(),
      createdAt: z.coerce.date(),
    }),
  ),
});

/** Reads the list at `path`. A list that cannot be read is an empty one, and is kept beside the new one. */
export function openMadeModels(path: string, log: Pick<Logger, 'warn'>): MadeModels {
  const models = new Map<string, MadeModel>(read(path, log).map((model) => [madeNameKey(model.name), model]));
  let writing: Promise<void> = Promise.resolve();

  /** One change after the other; what could not be written did not happen. */
  const change = (apply: () => () => void): Promise<void> => {
    const done = writing.then(async () => {
      const undo = apply();
      const list = { models: [...models.values()] };
      await replaceFile(path, `${JSON.stringify(list)}\n`).catch((error: unknown) => {
        undo();
        throw storageError(error);
      });
    });
    writing = done.catch(() => {});
    return done;
  };

  const put = (key: string, model: MadeModel | undefined) => {
    const before = models.get(key);
    if (model) models.set(key, model);
    else models.delete(key);
    return () => {
      if (before) models.set(key, before);
      else models.delete(key);
    };
  };

  return {
    list: () => [...models.values()].sort((left, right) => (left.name < right.name ? -1 : 1)),
    find: (name) => models.get(madeNameKey(name)) ?? null,
    async set(model) {
      const key = madeNameKey(model.name);
      if (!models.has(key) && models.size >= mostModels) {
        throw new AppError('invalid_request', `There are ${mostModels} made models already.`, {
          field: 'name',
          fix: 'Delete some first.',
        });
      }
      await change(() => put(key, model));
    },
    remove: (name) => change(() => put(madeNameKey(name), undefined)),
  };
}

function read(path: string, log: Pick<Logger, 'warn'>): MadeModel[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Nobody made one yet.
    return [];
  }
  try {
    return file.parse(JSON.parse(text)).models.map((model) => ({ ...model, preset: compact(model.preset) }));
  } catch (err) {
    log.warn({ err }, 'the list of made models cannot be read; none is known');
    return [];
  }
}

/** Without the fields that are undefined: an absent one is not there. */
function compact(read: z.infer<typeof preset>): Preset {
  const { sampling: chosen, ...rest } = read;
  return { ...present(rest), ...(chosen && { sampling: present(chosen) }) };
}

type Present<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Present<T>;
}
