import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { gateDescriptor } from './gate.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

/** How a worker ended. Exactly one of `code` and `signal` is set. */
export interface WorkerExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Last lines of its stderr, oldest first; for the log, never for a client. */
  stderrTail: string[];
}

/** A worker process as the engine sees it; tests pass a fake. */
export interface WorkerProcess {
  readonly pid: number;
  /** Messages to a dead worker are dropped: its exit says the rest. */
  send(message: ToWorker): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Called once, after the last message. */
  onExit(listener: (exit: WorkerExit) => void): void;
  kill(signal: NodeJS.Signals): void;
}

const stderrTailLines = 40;

/**
 * Starts a worker process.
 * `env`: the server's environment, which carries library paths; `libuvThreads`: size of the worker's libuv pool, on
 * which decoding and sampling run. How many of them work is the worker's business (`worker/batch/thread-pool.ts`).
 */
export function forkWorker(deps: { env: NodeJS.ProcessEnv; libuvThreads: number }): WorkerProcess {
  const libuvThreads = String(deps.libuvThreads);
  const child = fork(fileURLToPath(new URL('../worker/main.ts', import.meta.url)), [libuvThreads], {
    // The server's own flags (a debugger port, a test runner's loader) are not the worker's. A small young generation
    // saves 13 MB a worker; decoding makes little garbage, and was no slower with it.
    execArgv: ['--max-semi-space-size=2'],
    env: {
      ...deps.env,
      NODE_OPTIONS: '',
      UV_THREADPOOL_SIZE: libuvThreads,
      // One arena: model loading in many arenas keeps a third more memory.
      MALLOC_ARENA_MAX: '1',
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
    serialization: 'json',
  });
  const gate = child.stdio[gateDescriptor] as Writable | null;
  // A worker that died has nothing to let go of.
  gate?.on('error', () => {});
  const stderrTail: string[] = [];
  let partial = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => {
    const lines = (partial + text).split('\n');
    // A line without an end cannot grow for ever.
    partial = (lines.pop() ?? '').slice(-4096);
    stderrTail.push(...lines.filter((line) => line.trim() !== ''));
    stderrTail.splice(0, stderrTail.length - stderrTailLines);
  });
  if (child.pid !== undefined) yieldToOthers(child.pid);

  let exitListener: ((exit: WorkerExit) => void) | null = null;
  let ended = false;
  const end = (code: number | null, signal: NodeJS.Signals | null) => {
    if (ended) return;
    ended = true;
    if (partial.trim() !== '') stderrTail.push(partial);
    exitListener?.({ code, signal, stderrTail });
  };
  // 'close' comes after stderr and the channel are drained, 'exit' may come before.
  child.on('close', end);
  child.on('error', (error) => {
    stderrTail.push(String(error));
    if (child.pid === undefined) end(1, null);
  });

  return {
    pid: child.pid ?? -1,
    send(message) {
      // A process whose threads are parked cannot end.
      if (message.type === 'shutdown') gate?.destroy();
      if (child.connected) child.send(message, () => {});
    },
    onMessage: (listener) => {
      child.on('message', (received) => {
        const message = received as FromWorker;
        if (message.type === 'release') gate?.write(Buffer.alloc(message.threads));
        else listener(message);
      });
    },
    onExit(listener) {
      exitListener = listener;
    },
    kill: (signal) => {
      child.kill(signal);
    },
  };
}

/** The kernel should kill a model before the server, and other services of the machine go first. */
function yieldToOthers(pid: number): void {
  try {
    setPriority(pid, 5);
    writeFileSync(`/proc/${pid}/oom_score_adj`, '500');
  } catch {
    // Not Linux, or not permitted: the worker runs as it is.
  }
}
