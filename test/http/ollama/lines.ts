/** The records of an answer in lines of JSON. */
export function linesOf<Line = Record<string, unknown>>(body: string): Line[] {
  return body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
