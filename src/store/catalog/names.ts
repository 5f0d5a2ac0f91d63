import { AppError } from '../../core/errors.ts';
import { isPrintable, toPrintable } from '../../core/printable.ts';

/** How names are compared: without regard to case and to the two ways of writing accents. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Places of the API under `/models/`: a model of such a name could not be asked for. */
export const reservedNames: ReadonlySet<string> = new Set(['pull', 'pulls']);

/** Longer than what any file name can become. */
const longestName = 1_024;
/** Addresses and paths of other machines; a file may be called so, but whoever means one finds none here. */
const schemeLike = /^(?:[a-z]:[\\/]|(?:hf|file|data|https?|ftp|gopher):)/i;

/**
 * The name of a model from that of a file: with accents in one way of writing, what does not show as `%0A`, and blanks
 * at the ends as `%20`, so that every name can be typed, sent and printed.
 */
export function toModelName(stem: string): string {
  return toPrintable(stem.normalize('NFC')).replace(/^ +| +$/g, (blanks) => '%20'.repeat(blanks.length));
}

/**
 * Refuses what cannot be a model's name: paths out of a folder, addresses, what does not show. Only names that are not in
 * the catalogue come here. Throws `invalid_request`.
 */
export function assertWellFormedName(name: string): void {
  const isPath = name.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (name.length <= longestName && !isPath && isPrintable(name) && !schemeLike.test(name)) return;
  throw new AppError('invalid_request', 'This is not a valid model name.', {
    field: 'model',
    fix: 'Use a name from the list of models, for example "default" or "name:quantization".',
  });
}

/** Up to `limit` of `names` that resemble `wanted`, best first; the first names when none does. */
export function closeNames(wanted: string, names: readonly string[], limit = 5): string[] {
  const pieces = (name: string) =>
    new Set(
      nameKey(name)
        .split(/[^\p{L}\p{N}]+/u)
        .filter((piece) => piece !== ''),
    );
  const wantedPieces = pieces(wanted);
  const scored = names.map((name) => {
    const own = pieces(name);
    const shared = [...wantedPieces].filter((piece) => own.has(piece)).length;
    const begins = nameKey(name).startsWith(nameKey(wanted).slice(0, 4)) ? 1 : 0;
    return { name, score: shared * 2 + begins };
  });
  const related = scored.filter(({ score }) => score > 0).sort((left, right) => right.score - left.score);
  return (related.length > 0 ? related : scored).slice(0, limit).map(({ name }) => name);
}
