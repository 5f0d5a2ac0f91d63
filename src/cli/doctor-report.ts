import { toPrintable } from '../core/printable.ts';
import type { Finding, Severity } from '../doctor/doctor.ts';

const words: Readonly<Record<Severity, string>> = { ok: 'ok', info: 'note', warning: 'warning', error: 'ERROR' };
/** As terminals colour: green, blue, yellow, red. */
const colours: Readonly<Record<Severity, string>> = { ok: '32', info: '34', warning: '33', error: '31' };

/** Findings for people: a line each, with what it means and what to do below; the sums last. */
export function reportLines(findings: readonly Finding[], { isColoured }: { isColoured: boolean }): string[] {
  const width = Math.max(0, ...findings.map(({ title }) => title.length));
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
  const [notes, warnings, errors] = [count('info'), count('warning'), count('error')];
  return [
    ...findings.flatMap((finding) => linesOf(finding, width, isColoured)),
    '',
    `${findings.length} looked at: ${count('ok')} ok, ${notes} ${notes === 1 ? 'note' : 'notes'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}, ${errors} ${errors === 1 ? 'error' : 'errors'}.`,
  ];
}

function linesOf({ severity, title, found, means, fix }: Finding, width: number, isColoured: boolean): string[] {
  const word = words[severity].padEnd(7);
  const shown = isColoured ? `\u001b[${colours[severity]}m${word}\u001b[0m` : word;
  const indent = ' '.repeat(9);
  // What is found may have several lines, as problems of a file do.
  const [first = '', ...rest] = found.split('\n').map(toPrintable);
  return [
    `${shown}  ${title.padEnd(width)}  ${first}`,
    ...rest.map((line) => `${indent}${line}`),
    ...(means === null ? [] : [`${indent}${toPrintable(means)}`]),
    ...(fix === null ? [] : [`${indent}-> ${toPrintable(fix)}`]),
  ];
}
