import { AppError } from '../../core/errors.ts';
import { canonicalQuantization } from '../gguf/gguf.ts';

/** The part of a catalogue entry that a pull needs. */
interface PullableEntry {
  name: string;
  /** `org/repo` on the hub. */
  repository: string;
  /** Files of one model each, in the order in which they are preferred. */
  variants: readonly { quantization: string; files: readonly { path: string }[] }[];
}

/** Finds an entry of Hearth's own catalogue by name or alias; null when it has none. */
export type FindEntry = (name: string) => PullableEntry | null;

/** What a name asks the hub for. */
export interface PullTarget {
  repository: string;
  /** Lower-case label; null: chosen among what the repository has. */
  quantization: string | null;
  /** Exact files, in part order; null: found by quantization. */
  paths: readonly string[] | null;
}

const repositoryPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
const pathSegment = /^[A-Za-z0-9_][A-Za-z0-9._+@ -]{0,199}$/;
const revisionPattern = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;
const mostFolders = 4;
const longestName = 500;

/**
 * What a name means: an entry of the catalogue (`qwen-7b-chat`, with `:quantization`), or a repository of the hub as
 * `hf.co/org/repo`, `hf:org/repo` or `org/repo`, with `:quantization` or with a path to one `.gguf` file.
 * Throws `invalid_request` for what has neither form and `model_not_found` for what the catalogue lacks.
 */
export function parsePullName(name: string, find: FindEntry, quantization?: string): PullTarget {
  if (name.length > longestName) throw invalidName('it is too long');
  const { base, tag } = splitTag(name.trim());
  const wanted = wantedQuantization(tag, quantization);
  const entry = find(base);
  if (entry) return fromEntry(entry, wanted);

  const path = base.replace(/^(?:https:\/\/)?(?:www\.)?(?:hf\.co|huggingface\.co)\//i, '').replace(/^hf:/i, '');
  const segments = path.split('/');
  if (segments.length < 2) {
    if (path !== base || !pathSegment.test(base)) throw invalidName('it names no repository');
    throw new AppError('model_not_found', `There is no model ${base} in the catalogue.`, {
      field: 'name',
      fix: 'Use a name of the catalogue, or a repository such as hf.co/org/repo:q4_k_m.',
    });
  }
  const repository = checkRepository(segments.slice(0, 2).join('/'));
  if (segments.length === 2) return { repository, quantization: wanted, paths: null };
  const file = segments.slice(2).join('/');
  if (!isSafePath(file)) throw invalidName('it is no path to a file of a repository');
  if (!/\.gguf$/i.test(file)) throw invalidName('only .gguf files can be pulled');
  return { repository, quantization: wanted, paths: [file] };
}

/** Throws `invalid_request` for what cannot be a branch, tag or commit. */
export function checkRevision(revision: string): string {
  if (revisionPattern.test(revision) && !/\.\.|\/\/|\/$/.test(revision)) return revision;
  throw new AppError('invalid_request', 'This is not a valid revision.', {
    field: 'revision',
    fix: 'Use the name of a branch or a tag, or a commit.',
  });
}

/** Whether a path stays where it is put: plain segments, none of them `.` or `..`. */
export function isSafePath(path: string): boolean {
  const segments = path.split('/');
  return (
    segments.length <= mostFolders + 1 &&
    segments.every((segment) => pathSegment.test(segment) && !segment.includes('..') && !/[. ]$/.test(segment))
  );
}

function checkRepository(repository: string): string {
  if (repositoryPattern.test(repository) && !/\.\.|--|[.-]\/|[.-]$/.test(repository)) return repository;
  throw invalidName('it names no repository of the form org/repo');
}

/** The text after the last colon, if that can be a label: `hf:` at the front is none. */
function splitTag(name: string): { base: string; tag: string | null } {
  const colon = name.lastIndexOf(':');
  const tag = name.slice(colon + 1);
  if (colon <= 0 || tag.includes('/')) return { base: name, tag: null };
  if (!labelPattern.test(tag)) throw invalidName('its quantization is no label such as q4_k_m');
  return { base: name.slice(0, colon), tag };
}

/** Ollama's clients add `latest` to names without a tag. */
function wantedQuantization(tag: string | null, field: string | undefined): string | null {
  const inName = tag === null || tag.toLowerCase() === 'latest' ? null : canonicalQuantization(tag);
  if (field === undefined) return inName;
  if (!labelPattern.test(field)) {
    throw new AppError('invalid_request', 'This is not a quantization label such as q4_k_m.', {
      field: 'quantization',
    });
  }
  const inField = canonicalQuantization(field);
  if (inName !== null && inName !== inField) {
    throw new AppError('invalid_request', 'The name asks for another quantization than the field.', {
      field: 'quantization',
      fix: 'Give it once.',
    });
  }
  return inField;
}

function fromEntry(entry: PullableEntry, wanted: string | null): PullTarget {
  const variant =
    wanted === null
      ? entry.variants[0]
      : entry.variants.find(({ quantization }) => canonicalQuantization(quantization) === wanted);
  // The catalogue lists what is worth choosing; the repository may have more.
  if (!variant) return { repository: checkRepository(entry.repository), quantization: wanted, paths: null };
  return {
    repository: checkRepository(entry.repository),
    quantization: canonicalQuantization(variant.quantization),
    paths: variant.files.map(({ path }) => path),
  };
}

function invalidName(problem: string): AppError {
  return new AppError('invalid_request', `This name cannot be pulled: ${problem}.`, {
    field: 'name',
    fix: 'Use a name of the catalogue, hf.co/org/repo:q4_k_m, hf:org/repo:q4_k_m or org/repo/file.gguf.',
  });
}
