import { AppError } from '../../core/errors.ts';
import { combineSplit, type FileName, type GgufFacts, parseFileName } from '../gguf/gguf.ts';
import { nameKey } from './names.ts';
import { compare, type FoundFile } from './scan.ts';

/** One quantization of a model on disk. */
export interface CatalogVariant {
  /** `name:quantization`; stays the same as long as the file does. Duplicates carry `#2`, `#3` … */
  id: string;
  /** Lower-case label, or `unknown`. */
  quantization: string;
  /** Name of the file without `.gguf` and split suffix; also a name for this variant. */
  stem: string;
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

/** Puts files together to variants and models, sorted by name. Never throws. */
export function groupFiles(files: readonly ReadFile[]): CatalogModel[] {
  const models = new Map<string, CatalogModel>();
  for (const group of groupParts(files)) {
    const variant = buildVariant(group);
    const key = nameKey(group.parsed.name);
    const model = models.get(key) ?? { name: group.parsed.name, aliases: [], variants: [] };
    models.set(key, model);
    const twins = model.variants.filter((other) => other.quantization === variant.quantization);
    variant.id = `${model.name}:${variant.quantization}`;
    if (twins[0]) {
      variant.id += `#${twins.length + 1}`;
      variant.invalidCode = 'duplicate';
      variant.invalidReason = `duplicate: duplicate of ${twins[0].files[0]}`;
    }
    model.variants.push(variant);
  }
  return [...models.values()].sort((left, right) => compare(nameKey(left.name), nameKey(right.name)));
}

interface Group {
  parsed: FileName;
  parts: ReadFile[];
}

/** Parts of one split model lie in one folder and differ only in their number. */
function groupParts(files: readonly ReadFile[]): Group[] {
  const groups = new Map<string, Group>();
  for (const read of files) {
    const parsed = parseFileName(read.file.fileName);
    // Vision projectors belong to another file and are no models.
    if (!parsed || /mmproj/i.test(parsed.stem)) continue;
    const folder = read.file.filePath.slice(0, -read.file.fileName.length);
    const key = parsed.split ? `${folder}\0${parsed.stem}\0${parsed.split.count}` : read.file.filePath;
    const group = groups.get(key) ?? { parsed, parts: [] };
    group.parts.push(read);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function buildVariant({ parsed, parts }: Group): CatalogVariant {
  const facts = readGroup(parsed, parts);
  const problem = facts instanceof AppError ? facts : findProblem(facts);
  const known = facts instanceof AppError ? null : facts;
  return {
    id: '',
    quantization: parsed.quantization ?? known?.quantization ?? 'unknown',
    stem: parsed.stem,
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
function findProblem(facts: GgufFacts): AppError | null {
  if (facts.architecture === 'clip') {
    return invalid('projector', 'The file is a vision projector, which belongs to another model.');
  }
  if (facts.tensorCount === 0) return invalid('no_tensors', 'The file holds a vocabulary but no weights.');
  return null;
}

function invalid(reason: string, message: string): AppError {
  return new AppError('invalid_model_file', message, { details: { reason } });
}

function codeOf(problem: AppError): string {
  return String(problem.details?.['reason'] ?? problem.code);
}
