import type { Report } from './report.ts';

/** What every bench gets from the entry. */
export interface BenchDeps {
  /** Folder of the repository, absolute. */
  root: string;
  env: NodeJS.ProcessEnv;
  /** Default folder of the bench models. */
  cacheFolder: string;
  /** Usable cores of this machine. */
  cores: number;
  /** Tells on stderr what is measured now; a bench takes minutes. */
  progress(text: string): void;
  /** Starts the report of a bench; `outFile` left out: a file of its own under data/bench. */
  report(name: string, outFile?: string): Report;
}
