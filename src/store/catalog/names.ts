import { AppError } from '../../core/errors.ts';

/** How names are compared: without regard to case and to the two ways of writing accents. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Segments of letters, digits and `._+@-` that neither begin nor end with a dot; slashes only between segments. */
const segment = '[a-z0-9_](?:[a-z0-9._+@-]*[a-z0-9_+@-])?';
const wellFormed = new RegExp(`^${segment}(?:/${segment}){0,3}(?::[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_-])?)?$`, 'i');

/**
 * Refuses what cannot be a model's name: paths, control characters, look-alikes, URLs. Only names that are not in the
 * catalogue come here, so a file may well have a name with blanks. Throws `invalid_request`.
 */
export function assertWellFormedName(name: string): void {
  if (name.length <= 200 && wellFormed.test(name) && !name.includes('..')) return;
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
        .split(/[^a-z0-9]+/)
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
