import { AppError } from '../../core/errors.ts';
import { isPrintable } from '../../core/printable.ts';
import { canonicalQuantization } from '../gguf/gguf.ts';
import { parsePullAddress } from './pull-address.ts';

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
  /** The usual one that fits, and of its size the one that this processor is fastest with. */
  isAutomatic: boolean;
  /** Exact files, in part order; null: found by quantization. Where the choice is ours, those that come first if they fit. */
  paths: readonly string[] | null;
  /** Branch, tag or commit that the name holds; null: none. */
  revision: string | null;
  /** Only files in this folder of the repository are meant; null: all. */
  folder: string | null;
}

const repositoryPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
/** Beside a file lie its part and the sidecar, and the name of no file may be longer than 255 bytes. */
const longestSegmentBytes = 240;
/** A name of the catalogue, if there is one. */
const entryPattern = /^[A-Za-z0-9_][A-Za-z0-9._+@ -]{0,199}$/;
const revisionPattern = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
const labelPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;
/** In place of a label: the choice is ours. */
const automatic = 'auto';
const mostFolders = 4;
const longestName = 1_000;
const defaultEndpoint = new URL('https://huggingface.co');

/**
 * What a name means: an entry of the catalogue (`qwen-7b-chat`, with `:quantization`; `qwen2.5:0.5b` too), or a repository of the hub as
 * `hf.co/org/repo`, `hf:org/repo` or `org/repo`, with `:quantization` or with a path to one `.gguf` file, or the address
 * of a page or a download of it.
 * Throws `invalid_request` for what has neither form and `model_not_found` for what the catalogue lacks.
 */
export function parsePullName(
  name: string,
  find: FindEntry,
  { quantization, endpoint = defaultEndpoint }: { quantization?: string; endpoint?: URL } = {},
): PullTarget {
  if (name.length > longestName) throw invalidName('it is too long');
  const text = name.trim();
  const { path, revision, folder } = parsePullAddress(text, endpoint);
  const { base, tag } = splitTag(path);
  const sized = tag === null || find(base) ? null : find(`${base}-${tag}`);
  const entry = sized ?? find(base);
  const wanted = wantedQuantization(sized ? null : tag, quantization);
  if (entry) return fromEntry(entry, wanted);

  const segments = base.split('/');
  if (segments.length < 2) {
    if (path !== text || !entryPattern.test(base)) throw invalidName('it names no repository');
    throw new AppError('model_not_found', `There is no model ${base} in the catalogue.`, {
      field: 'name',
      fix: 'Use a name of the catalogue, or a repository such as hf.co/org/repo:q4_k_m.',
    });
  }
  const repository = checkRepository(segments.slice(0, 2).join('/'));
  if (folder !== null && !isSafePath(folder)) throw invalidName('it is no path to a folder of a repository');
  const isAutomatic = wanted === automatic;
  const label = isAutomatic ? null : wanted;
  if (segments.length === 2) return { repository, quantization: label, isAutomatic, paths: null, revision, folder };
  const file = segments.slice(2).join('/');
  if (!isSafePath(file)) throw invalidName('it is no path to a file of a repository');
  if (!/\.gguf$/i.test(file)) throw invalidName('only .gguf files can be pulled');
  return { repository, quantization: label, isAutomatic: false, paths: [file], revision, folder: null };
}

/** Throws `invalid_request` for what cannot be a branch, tag or commit. */
export function checkRevision(revision: string): string {
  if (revisionPattern.test(revision) && !/\.\.|\/\/|\/$/.test(revision)) return revision;
  throw new AppError('invalid_request', 'This is not a valid revision.', {
    field: 'revision',
    fix: 'Use the name of a branch or a tag, or a commit.',
  });
}

/**
 * Whether a path stays where it is put and can be listed from there: a few segments of what shows, none hidden, with
 * no sign that is a separator anywhere.
 */
export function isSafePath(path: string): boolean {
  const segments = path.split('/');
  return (
    segments.length <= mostFolders + 1 &&
    segments.every(
      (segment) =>
        segment !== '' &&
        !/^\.|[. ]$|\\/.test(segment) &&
        isPrintable(segment) &&
        Buffer.byteLength(segment) <= longestSegmentBytes,
    )
  );
}

/** Whether it may be a folder of ours and a path of the hub. */
export function isSafeRepository(repository: string): boolean {
  return repositoryPattern.test(repository) && !/\.\.|--|[.-]\/|[.-]$/.test(repository);
}

function checkRepository(repository: string): string {
  if (isSafeRepository(repository)) return repository;
  throw invalidName('it names no repository of the form org/repo');
}

/** The text after the last colon, if that can be a label: `hf:` at the front is none. */
function splitTag(name: string): { base: string; tag: string | null } {
  const colon = name.lastIndexOf(':');
  const tag = name.slice(colon + 1);
  if (colon <= 0 || tag.includes('/') || /\.gguf$/i.test(tag)) return { base: name, tag: null };
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
  // What was chosen may be asked for again by the name that left it open.
  if (inName !== null && inName !== automatic && inName !== inField) {
    throw new AppError('invalid_request', 'The name asks for another quantization than the field.', {
      field: 'quantization',
      fix: 'Give it once.',
    });
  }
  return inField;
}

function fromEntry(entry: PullableEntry, wanted: string | null): PullTarget {
  const isAutomatic = wanted === automatic;
  const repository = checkRepository(entry.repository);
  const anywhere = { repository, isAutomatic, revision: null, folder: null };
  // What was hand-picked comes first here too.
  const paths = entry.variants[0]?.files.map(({ path }) => path) ?? null;
  if (isAutomatic) return { ...anywhere, quantization: null, paths };
  const variant =
    wanted === null
      ? entry.variants[0]
      : entry.variants.find(({ quantization }) => canonicalQuantization(quantization) === wanted);
  // The catalogue lists what is worth choosing; the repository may have more.
  if (!variant) return { ...anywhere, quantization: wanted, paths: null };
  return {
    ...anywhere,
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
