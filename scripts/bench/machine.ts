import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { patchedKernels } from '../kernels/folders.ts';

/** Where and with what a figure was measured; without it the figure means nothing. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  node: string;
  nodeLlamaCpp: string;
  llamaCpp: string;
  /** Files of CPU kernels that Hearth built itself; none: all of them are the library's. */
  patchedKernels: string[];
  /** Commit of this repository, with `+` when files differ from it; `unknown` outside of git. */
  commit: string;
  /** Load of the machine over the last minute when the bench began: other work spoils figures. */
  loadBefore: number;
}

/** Reads the facts of this machine; what cannot be read is `unknown`. `root`: folder of the repository. */
export function describeMachine(root: string): Machine {
  const library = dirname(dirname(createRequire(join(root, 'package.json')).resolve('node-llama-cpp')));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    nodeLlamaCpp: jsonField(join(library, 'package.json'), 'version'),
    llamaCpp: jsonField(join(library, 'llama', 'llama.cpp.info.json'), 'tag'),
    patchedKernels: patchedKernels(root),
    commit: commitOf(root),
    loadBefore: loadOfLastMinute(),
  };
}

/** As `uptime` says it, with two digits; a bench alone on its machine adds about its threads. */
export function loadOfLastMinute(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}

/** One line for the head of a table. */
export function machineLine(machine: Machine): string {
  return (
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB; Node ${machine.node}, ` +
    `node-llama-cpp ${machine.nodeLlamaCpp}, llama.cpp ${machine.llamaCpp}, ` +
    `kernels ${machine.patchedKernels.join(' ') || 'of the library'}; commit ${machine.commit}; ` +
    `load before ${machine.loadBefore}`
  );
}

function jsonField(file: string, field: string): string {
  try {
    return String((JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)[field] ?? 'unknown');
  } catch {
    // Another layout of the package: the figure is still good.
    return 'unknown';
  }
}

function commitOf(root: string): string {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+');
  } catch {
    // No git, or no repository.
    return 'unknown';
  }
}
