/** The word that is written most like `word`; null when none is near. */
export function nearestWord(word: string, words: readonly string[]): string | null {
  const [best] = measured(word, words);
  return best && best.edits <= Math.max(1, Math.ceil(best.candidate.length / 3)) ? best.candidate : null;
}

/** All of them, what is written most like `word` first. */
export function byNearness(word: string, words: readonly string[]): string[] {
  return measured(word, words).map(({ candidate }) => candidate);
}

function measured(word: string, words: readonly string[]) {
  return words
    .map((candidate) => ({ candidate, edits: editsBetween(word.toLowerCase(), candidate) }))
    .toSorted((left, right) => left.edits - right.edits);
}

/** Letters to add, take away, replace or swap with their neighbour (optimal string alignment distance). */
function editsBetween(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      current.push(
        Math.min(
          rows[row - 1]![column]! + 1,
          current[column - 1]! + 1,
          rows[row - 1]![column - 1]! + (isSame ? 0 : 1),
          isSwapped ? rows[row - 2]![column - 2]! + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    rows.push(current);
  }
  return rows[from.length]![to.length]!;
}
