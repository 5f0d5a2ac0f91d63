import { type AppError, toAppError } from '../../core/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { type GgufFacts, readGguf } from '../gguf/gguf.ts';
import { createAliases } from './aliases.ts';
import { type CatalogModel, type CatalogVariant, groupFiles, type ReadFile } from './group-files.ts';
import { nameKey } from './names.ts';
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
  /**
   * Finds a model by name, file stem, alias or `default`, each also with `:quantization`; case does not matter.
   * `variant` is null when the name does not choose one. The variant may be invalid: `chooseVariant` refuses it.
   * Throws `invalid_request` for what cannot be a name, `model_not_found` with close names otherwise.
   */
  resolve(name: string): ResolvedName;
}

export interface CatalogDeps {
  /** Absolute folders, scanned with their sub-folders. */
  folders: readonly string[];
  /** The model that came with Hearth, absolute; it is in the catalogue even when no folder holds it. */
  builtinFile: string | null;
  /** Alias to model name, `name:quantization` or another alias. */
  aliases: Readonly<Record<string, string>>;
  /** Model behind `default`; null: the built-in model. */
  defaultModel: string | null;
  /** Names that models are commonly known by, to the names of their files; used where no file has that name. */
  knownNames?: Readonly<Record<string, string>>;
  log: Logger;
}

/** Texts of warnings that are remembered. */
const maxWarnings = 1_000;

/** Throws `invalid_request` when the aliases lead in a circle. The catalogue is empty until the first refresh. */
export function createCatalog(deps: CatalogDeps): Catalog {
  const { log } = deps;
  const aliases = createAliases(deps.aliases, deps.defaultModel);
  const readCache = new Map<string, { sizeBytes: number; modifiedMs: number; facts: GgufFacts | AppError }>();
  let resolver = createResolver([], aliases, null);
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
    const files = await findFiles();
    const paths = new Set(files.map((file) => file.filePath));
    for (const path of readCache.keys()) if (!paths.has(path)) readCache.delete(path);
    const read: ReadFile[] = [];
    // One at a time: this runs beside answers on a machine with few cores and one disk.
    for (const file of files) read.push({ file, facts: await readCached(file) });
    const models = groupFiles(read);
    resolver = createResolver(models, aliases, deps.builtinFile, deps.knownNames);
  }

  async function findFiles(): Promise<FoundFile[]> {
    const found: FoundFile[] = [];
    if (deps.builtinFile !== null) {
      const builtin = await describeFile(deps.builtinFile);
      if (builtin) found.push(builtin);
      else log.warn('the built-in model is missing');
    }
    for (const folder of deps.folders) {
      const { files, problems } = await scanFolder(folder);
      for (const problem of problems) warnOnce({ folder }, problem);
      for (const file of files) if (!found.some((other) => other.realPath === file.realPath)) found.push(file);
    }
    return found;
  }

  async function readCached(file: FoundFile): Promise<GgufFacts | AppError> {
    const cached = readCache.get(file.filePath);
    if (cached && cached.sizeBytes === file.sizeBytes && cached.modifiedMs === file.modifiedMs) return cached.facts;
    const facts = await readGguf(file.filePath).catch((error: unknown) => {
      const problem = toAppError(error);
      // The reason is known and shown in the listing; a stack would say nothing more about the file.
      log.warn({ file: file.relativePath, ...problem.details }, `model file cannot be used: ${problem.message}`);
      return problem;
    });
    readCache.set(file.filePath, { sizeBytes: file.sizeBytes, modifiedMs: file.modifiedMs, facts });
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

  return { refresh, models: () => resolver.models, resolve: (name) => resolver.resolve(name) };
}
