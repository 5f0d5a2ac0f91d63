import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { SayCommand } from '../core/say-command.ts';
import type { MemoryReader } from '../machine/memory-budget.ts';

/** Who owns a file or folder, and what others may do with it. */
export interface Owner {
  uid: number;
  gid: number;
  /** Rights alone: `0o755`. */
  mode: number;
  isFolder: boolean;
}

export interface Disk {
  freeBytes: number;
  totalBytes: number;
}

/** What came of asking an address something without a key. */
export type Answer =
  | { status: number; text: string; date: Date | null; tookMs: number }
  /** No answer: `ECONNREFUSED`, `no answer within 3 s`. */
  | { reason: string };

/** The machine, as checks look at it; tests have machines of their own. Nothing here throws. */
export interface Box {
  platform: string;
  architecture: string;
  nodeVersion: string;
  kernelRelease: string;
  /** Null: another C library, or another system. */
  glibcVersion: string | null;
  /** Null: a system without users by number. */
  user: { uid: number; gid: number; groups: readonly number[] } | null;
  timeZone: string;
  memory: MemoryReader;
  affinityCount: number;
  environment: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string | null;
  list(path: string): string[];
  /** Target of a link. */
  linkTarget(path: string): string | null;
  ownerOf(path: string): Owner | null;
  diskOf(path: string): Disk | null;
  canOpen(path: string): boolean;
  /** Makes a folder in a folder and deletes it; null: that works, else why not (`EACCES`). */
  tryWrite(folder: string): string | null;
  /** Listens there for a moment; null: that works, else why not (`EADDRINUSE`). */
  tryPort(host: string, port: number): Promise<string | null>;
  ask(url: string, mostMs: number): Promise<Answer>;
  now(): Date;
  /** As commands are typed here. */
  sayCommand: SayCommand;
}

/** Of an answer; more is not read. */
const mostCharacters = 64 * 1024;

/** This machine. `environment`: the process's. */
export function systemBox(environment: Box['environment'], sayCommand: SayCommand): Box {
  const readFile = (path: string) => orNull(() => readFileSync(path, 'utf8'));
  return {
    platform: process.platform,
    architecture: process.arch,
    nodeVersion: process.version,
    kernelRelease: release(),
    glibcVersion: glibcVersion(),
    user:
      process.getuid === undefined
        ? null
        : { uid: process.getuid(), gid: process.getgid!(), groups: process.getgroups!() },
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    memory: {
      readFile,
      constrainedBytes: process.constrainedMemory(),
      hostTotalBytes: totalmem(),
      hostAvailableBytes: process.availableMemory(),
    },
    affinityCount: availableParallelism(),
    environment,
    readFile,
    list: (path) => orNull(() => readdirSync(path).sort()) ?? [],
    linkTarget: (path) => orNull(() => readlinkSync(path)),
    ownerOf: (path) =>
      orNull(() => {
        const stats = statSync(path);
        return { uid: stats.uid, gid: stats.gid, mode: stats.mode & 0o7777, isFolder: stats.isDirectory() };
      }),
    diskOf: (path) =>
      orNull(() => {
        const { bavail, blocks, bsize } = statfsSync(path);
        return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
      }),
    canOpen: (path) => orNull(() => accessSync(path, constants.R_OK | constants.W_OK) ?? true) !== null,
    tryWrite,
    tryPort,
    ask,
    now: () => new Date(),
    sayCommand,
  };
}

function orNull<T>(attempt: () => T): T | null {
  try {
    return attempt();
  } catch {
    // Not there, or not for us: that is what was asked.
    return null;
  }
}

function glibcVersion(): string | null {
  // Addresses and names of the network are of no use here, and finding them takes seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime ?? null;
}

function tryWrite(folder: string): string | null {
  try {
    rmSync(mkdtempSync(join(folder, '.hearth-doctor-')), { recursive: true });
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

function tryPort(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error) => resolve(codeOf(error)));
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

async function ask(url: string, mostMs: number): Promise<Answer> {
  const startMs = performance.now();
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(mostMs) });
    const date = new Date(response.headers.get('date') ?? '');
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.length > mostCharacters) break;
    }
    return {
      status: response.status,
      text,
      date: Number.isNaN(date.getTime()) ? null : date,
      tookMs: Math.round(performance.now() - startMs),
    };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const isLate = cause instanceof Error && cause.name === 'TimeoutError';
    return { reason: isLate ? `no answer within ${mostMs / 1_000} s` : codeOf(cause) };
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
