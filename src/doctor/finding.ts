/**
 * How bad it is. `info`: all that is wanted works, and it is good to know; `warning`: it works, and something is slower or less
 * safe than it need be; `error`: something does not work.
 */
export type Severity = 'ok' | 'info' | 'warning' | 'error';

/** One thing that was looked at. Texts are for people; ids and facts are for programs, and stay. */
export interface Finding {
  /** `area.subject`: `memory.swap`. */
  id: string;
  severity: Severity;
  /** What was looked at. */
  title: string;
  /** What was found. */
  found: string;
  /** What follows from it; null: nothing that one need know. */
  means: string | null;
  /** What to do about it; null: nothing. */
  fix: string | null;
  facts: Readonly<Record<string, unknown>>;
}

interface More {
  means?: string | null;
  fix?: string | null;
  facts?: Readonly<Record<string, unknown>>;
}

function finding(severity: Severity) {
  return (id: string, title: string, found: string, { means = null, fix = null, facts = {} }: More = {}): Finding => ({
    id,
    severity,
    title,
    found,
    means,
    fix,
    facts,
  });
}

export const ok = finding('ok');
export const info = finding('info');
export const warning = finding('warning');
export const failure = finding('error');

/** The worst of them: 0 all that is wanted works, 1 something could be better, 2 something does not work. */
export function exitCodeOf(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ severity }) => severity === 'error')) return 2;
  return findings.some(({ severity }) => severity === 'warning') ? 1 : 0;
}
