import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../core/errors.ts';
import {
  combineSplit,
  type FileName,
  type GgufFacts,
  isProjectorName,
  parseFileName,
  projectorFile,
} from '../gguf/gguf.ts';
import { nameKey, toModelName } from './names.ts';
import { compare, type FoundFile } from './scan.ts';

/** One quantization of a model on disk. */
export interface CatalogVariant {
  /** `name:quantization`; stays the same as long as the files in the folder do. */
  id: string;
  /** Lower-case label, or `unknown`. */
  quantization: string;
  /** Name of the file without `.gguf` and split suffix; also a name for this variant. */
  stem: string;
  /** Names of links to it. */
  otherNames: string[];
  /** Absolute path of the file, or of the first part. */
  filePath: string;
  /** Paths in the model folder, in part order. */
  files: string[];
  sizeBytes: number;
  modifiedAt: Date;
  /** Null exactly when the header could not be read. */
  facts: GgufFacts | null;
  /** Stable code of the reason below, or null. */
  invalidCode: string | null;
  /** Why the variant cannot be loaded: code, colon, sentence. Null: it can. */
  invalidReason: string | null;
}

/** A model with its variants in the order of their paths. */
export interface CatalogModel {
  name: string;
  /** Other names that lead here. */
  aliases: string[];
  variants: CatalogVariant[];
}

/** A file with what its header says, or why that cannot be said. */
export interface ReadFile {
  file: FoundFile;
  facts: GgufFacts | AppError;
}

/** Files that are put together before the event loop turns: a folder may hold thousands, and answers run beside it. */
const groupsATurn = 200;

/**
 * Puts files together to variants and models, sorted by name; each has a name that no other has. Never throws.
 * `isReserved`: a name, as `nameKey` writes it, by which another thing is asked for.
 */
export async function groupFiles(
  files: readonly ReadFile[],
  isReserved: (key: string) => boolean = () => false,
): Promise<CatalogModel[]> {
  const groups = groupParts(files);
  await nextTurn();
  const built: (Group & { variant: CatalogVariant })[] = [];
  for (const group of groups) {
    built.push({ ...group, variant: buildVariant(group) });
    if (built.length % groupsATurn === 0) await nextTurn();
  }
  const byKey = new Map<string, string>();
  /** Folding a name costs more than looking it up, and each is asked for many times. */
  const keyOf = (name: string) => {
    const known = byKey.get(name) ?? nameKey(name);
    byKey.set(name, known);
    return known;
  };
  const natural = countKeys(built.map(({ name, variant }) => [keyOf(name), keyOf(variant.stem)]));
  const models = new Map<string, CatalogModel>();

  /** Whether a variant can have this name: it is free, or that of a model without the same quantization. */
  const isFree = (name: string, { quantization }: CatalogVariant) =>
    !isReserved(keyOf(name)) &&
    models.get(keyOf(name))?.variants.some((other) => other.quantization === quantization) !== true;

  function nameFor({ name, folder, fileName }: Group, variant: CatalogVariant): string {
    if (isFree(name, variant)) return name;
    const inFolder = `${folder}/${name}`;
    if (folder !== '' && isFree(inFolder, variant)) return inFolder;
    // Names of the file itself, unless they are how another one is asked for.
    const isOwn = (other: string, holders: number) =>
      keyOf(other) !== keyOf(name) && (natural.get(keyOf(other)) ?? 0) <= holders && isFree(other, variant);
    if (isOwn(variant.stem, 1)) return variant.stem;
    if (isOwn(fileName, 0)) return fileName;
    for (let count = 2; ; count++) {
      const counted = `${name}#${count}`;
      if (!natural.has(keyOf(counted)) && isFree(counted, variant)) return counted;
    }
  }

  let named = 0;
  for (const { variant, ...group } of built.sort(byRightToName)) {
    if (++named % groupsATurn === 0) await nextTurn();
    const name = nameFor(group, variant);
    const model = models.get(keyOf(name)) ?? { name, aliases: [], variants: [] };
    models.set(keyOf(name), model);
    variant.id = `${model.name}:${variant.quantization}`;
    model.variants.push(variant);
  }
  for (const { variants } of models.values()) {
    variants.sort((left, right) => compare(left.files[0]!, right.files[0]!));
  }
  await nextTurn();
  return [...models.values()].sort((left, right) => compare(keyOf(left.name), keyOf(right.name)));
}

/** Of two files for one name the usable one has it, then the one that lies higher, then the first by path. */
function byRightToName(
  left: { variant: CatalogVariant; folder: string },
  right: { variant: CatalogVariant; folder: string },
): number {
  const rank = ({ variant, folder }: typeof left) =>
    (variant.invalidReason === null ? 0 : 1_000) + (folder === '' ? 0 : folder.split('/').length);
  return rank(left) - rank(right);
}

/** By how many files each key is a way to ask. */
function countKeys(keys: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const own of keys) {
    for (const key of new Set(own)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

interface Group {
  parsed: FileName;
  /** As a model is called by the file's name. */
  name: string;
  /** Path of its folder in the model folder, fit for a name; empty: it lies at the top. */
  folder: string;
  fileName: string;
  parts: ReadFile[];
}

/** Parts of one split model lie in one folder and differ only in their number. */
function groupParts(files: readonly ReadFile[]): Group[] {
  const groups = new Map<string, Group>();
  for (const read of files) {
    const { fileName, filePath, relativePath } = read.file;
    const parsed = parseFileName(fileName);
    if (!parsed) continue;
    const inFolder = filePath.slice(0, -fileName.length);
    const key = parsed.split ? `${inFolder}\0${parsed.stem}\0${parsed.split.count}` : filePath;
    const folder = toModelName(relativePath.slice(0, -fileName.length).replace(/\/$/, ''));
    const name = toModelName(parsed.name);
    const group = groups.get(key) ?? { parsed, name, folder, fileName: toModelName(fileName), parts: [] };
    group.parts.push(read);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function buildVariant({ parsed, parts }: Group): CatalogVariant {
  const facts = readGroup(parsed, parts);
  const problem = facts instanceof AppError ? facts : findProblem(parsed, facts);
  const known = facts instanceof AppError ? null : facts;
  const stem = toModelName(parsed.stem);
  const linkStems = parts.flatMap(({ file }) => file.linkNames).map((link) => parseFileName(link)?.stem ?? link);
  return {
    id: '',
    quantization: parsed.quantization ?? known?.quantization ?? 'unknown',
    stem,
    otherNames: linkStems.map(toModelName),
    filePath: parts[0]!.file.filePath,
    files: parts.map(({ file }) => file.relativePath),
    sizeBytes: parts.reduce((sum, { file }) => sum + file.sizeBytes, 0),
    modifiedAt: new Date(Math.max(...parts.map(({ file }) => file.modifiedMs))),
    facts: known,
    invalidCode: problem && codeOf(problem),
    invalidReason: problem && `${codeOf(problem)}: ${problem.message}`,
  };
}

function readGroup({ split }: FileName, parts: readonly ReadFile[]): GgufFacts | AppError {
  const broken = parts.find((part) => part.facts instanceof AppError);
  if (broken?.facts instanceof AppError) return broken.facts;
  const facts = parts.map((part) => part.facts as GgufFacts);
  // A set of one is an ordinary file with a long name.
  if (split === null || split.count <= 1) {
    if (facts.length === 1 && facts[0]?.split === null) return facts[0];
    return invalid('bad_split', 'The file is one part of a split model, but its name does not say so.');
  }
  const missing = missingPart(split.count, parts);
  if (missing !== null) return invalid('split_part_missing', `Part ${missing} of ${split.count} is missing.`);
  try {
    return combineSplit(facts);
  } catch (error) {
    return error instanceof AppError ? error : invalid('bad_split', 'The parts do not belong together.');
  }
}

/** Number of the first part that is not there; files come sorted, so part n stands at place n. */
function missingPart(count: number, parts: readonly ReadFile[]): number | null {
  for (let index = 0; index < count; index++) {
    const file = parts[index]?.file;
    if (!file || parseFileName(file.fileName)?.split?.index !== index) return index + 1;
  }
  return null;
}

/** What a valid header can still lack. */
function findProblem({ stem }: FileName, facts: GgufFacts): AppError | null {
  if (facts.architecture === 'clip' || isProjectorName(stem)) return projectorFile();
  if (facts.tensorCount === 0) return invalid('no_tensors', 'The file holds a vocabulary but no weights.');
  return null;
}

function invalid(reason: string, message: string): AppError {
  return new AppError('invalid_model_file', message, { details: { reason } });
}

function codeOf(problem: AppError): string {
  return String(problem.details?.['reason'] ?? problem.code);
}
