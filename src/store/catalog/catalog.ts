import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AppError, toAppError } from '../../core/errors.ts';
import { toPrintable } from '../../core/printable.ts';
import type { Logger } from '../../observe/logger.ts';
import { type GgufFacts, invalidModelFile, readGguf } from '../gguf/gguf.ts';
import type { MadeModels } from '../made-models/made-models.ts';
import { createAliases } from './aliases.ts';
import { type CatalogModel, type CatalogVariant, groupFiles, type ReadFile } from './group-files.ts';
import { nameKey, reservedNames } from './names.ts';
import { createResolver, type ResolvedName } from './resolve.ts';
import { describeFile, type FoundFile, scanFolder } from './scan.ts';
import { chooseVariant } from './variants.ts';

export type { CatalogModel, CatalogVariant, ResolvedName };
export { chooseVariant, nameKey };

/** The models on disk, as of the last refresh. */
export interface Catalog {
  /** Scans the folders again; unchanged files are not read again. Never rejects. */
  refresh(): Promise<void>;
  /** Every model, the unusable ones with their reasons, sorted by name. */
  models(): CatalogModel[];
  /** What lies in the folders and is not listed, one sentence each. */
  leftOut(): readonly string[];
  /**
   * Finds a model by name, file stem, alias or `default`, each also with `:quantization`; case does not matter.
   * `variant` is null when the name does not choose one. The variant may be invalid: `chooseVariant` refuses it.
   * Throws `invalid_request` for what cannot be a name, `model_not_found` with close names otherwise.
   */
  resolve(name: string): ResolvedName;
  /** The same for names that are none of this machine's more often than not: null where it is unknown, as of the last look. */
  find(name: string): ResolvedName | null;
}

export interface CatalogDeps {
  /** Absolute folders, scanned with their sub-folders. */
  folders: readonly string[];
  /** Follow symbolic links that lead out of them; left out: they are not followed. */
  followLinks?: boolean;
  /** The model that came with Hearth, absolute; it is in the catalogue even when no folder holds it. */
  builtinFile: string | null;
  /** A file that is not listed wherever it lies, absolute; left out: none. */
  hiddenFile?: string | null;
  /** Alias to model name, `name:quantization` or another alias. */
  aliases: Readonly<Record<string, string>>;
  /** Model behind `default`; null: the built-in model. */
  defaultModel: string | null;
  /** Names that models are commonly known by, to the names of their files; used where no file has that name. */
  knownNames?: Readonly<Record<string, string>>;
  /** Names that clients made, which come before all others; left out: none. */
  made?: Pick<MadeModels, 'find'>;
  log: Logger;
}

const badFileName = invalidModelFile(
  'bad_file_name',
  'The name of the file is not UTF-8, so it cannot be opened; rename it.',
);
/** Model files whose headers are read at the same time: reading waits for the disk, and answers run beside it. */
const readsAtOnce = 4;
/** Texts of warnings that are remembered. */
const maxWarnings = 1_000;

/** Throws `invalid_request` when the aliases lead in a circle. The catalogue is empty until the first refresh. */
export function createCatalog(deps: CatalogDeps): Catalog {
  const { log } = deps;
  const aliases = createAliases(deps.aliases, deps.defaultModel);
  const readCache = new Map<string, { sizeBytes: number; modifiedMs: number; facts: Promise<GgufFacts | AppError> }>();
  let resolver = createResolver([], aliases, null);
  let leftOut: readonly string[] = [];
  let lastRead: readonly ReadFile[] = [];
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const warned = new Set<string>();

  /** A scan runs with every listing; what stays as it was is not said again. */
  function warnOnce(fields: Record<string, unknown>, message: string): void {
    if (warned.has(message)) return;
    if (warned.size < maxWarnings) warned.add(message);
    log.warn(fields, message);
  }

  async function scan(): Promise<void> {
    const { files, sentences } = await findFiles();
    const keys = new Set(files.map(cacheKey));
    for (const key of readCache.keys()) if (!keys.has(key)) readCache.delete(key);
    const read: ReadFile[] = [];
    for (let start = 0; start < files.length; start += readsAtOnce) {
      const batch = files.slice(start, start + readsAtOnce);
      read.push(...(await Promise.all(batch.map(async (file) => ({ file, facts: await readCached(file) })))));
    }
    leftOut = sentences;
    // Most scans find what the last one found; putting thousands of files together once more would hold up answers.
    if (isSame(read, lastRead)) return;
    const models = await groupFiles(read, (name) => reservedNames.has(name) || aliases.leadsAway(name));
    await nextTurn();
    resolver = createResolver(models, aliases, deps.builtinFile, deps.knownNames);
    lastRead = read;
  }

  async function findFiles(): Promise<{ files: FoundFile[]; sentences: string[] }> {
    const found = new Map<string, FoundFile>();
    const sentences: string[] = [];
    if (deps.builtinFile !== null) {
      const builtin = await describeFile(deps.builtinFile);
      if (builtin) found.set(builtin.realPath, builtin);
      else log.warn('the built-in model is missing');
    }
    const hidden = deps.hiddenFile ? await describeFile(deps.hiddenFile) : null;
    for (const folder of deps.folders) {
      const scanned = await scanFolder(folder, { followLinks: deps.followLinks ?? false });
      const { files, leftOut: left } = scanned;
      if (scanned.isMissing) warnOnce({ folder }, 'The model folder is missing.');
      for (const sentence of left) warnOnce({ folder }, sentence);
      sentences.push(...left);
      for (const file of files) {
        if (file.realPath !== hidden?.realPath && !found.has(file.realPath)) found.set(file.realPath, file);
      }
    }
    return { files: [...found.values()], sentences };
  }

  /** Two names of one file are read once. */
  async function readCached(file: FoundFile): Promise<GgufFacts | AppError> {
    if (file.inode === null) return badFileName;
    const key = cacheKey(file);
    const cached = readCache.get(key);
    if (cached && cached.sizeBytes === file.sizeBytes && cached.modifiedMs === file.modifiedMs) return cached.facts;
    const facts = readGguf(file.filePath).catch((error: unknown) => {
      const problem = toAppError(error);
      // The reason is known and shown in the listing; a stack would say nothing more about the file.
      log.warn(
        { file: toPrintable(file.relativePath), ...problem.details },
        `model file cannot be used: ${problem.message}`,
      );
      return problem;
    });
    readCache.set(key, { sizeBytes: file.sizeBytes, modifiedMs: file.modifiedMs, facts });
    return facts;
  }

  async function refresh(): Promise<void> {
    if (running === null) {
      running = scan()
        .catch((error: unknown) => log.error({ err: error }, 'the model folders cannot be scanned'))
        .finally(() => {
          running = null;
        });
      return running;
    }
    // A file may have come after the running scan passed it, so whoever asks now gets a scan that starts later.
    next ??= running.then(() => {
      next = null;
      return refresh();
    });
    return next;
  }

  return {
    refresh,
    models: () => resolver.models,
    leftOut: () => leftOut,
    find(name) {
      const made = deps.made?.find(name);
      const found = resolver.find(made?.from ?? name);
      return found && made ? { ...found, preset: made.preset } : found;
    },
    resolve(name) {
      const made = deps.made?.find(name);
      return made ? { ...resolver.resolve(made.from), preset: made.preset } : resolver.resolve(name);
    },
  };
}

/** Facts of a file that is as it was are the same object. */
function isSame(left: readonly ReadFile[], right: readonly ReadFile[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ file, facts }, index) => {
      const { file: other, facts: otherFacts } = right[index]!;
      return (
        facts === otherFacts &&
        file.filePath === other.filePath &&
        file.modifiedMs === other.modifiedMs &&
        file.sizeBytes === other.sizeBytes &&
        file.linkNames.join('\0') === other.linkNames.join('\0')
      );
    })
  );
}

function cacheKey(file: FoundFile): string {
  return file.inode ?? file.filePath;
}
