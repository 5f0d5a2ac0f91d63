import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { stringify } from 'yaml';
import { type App, createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Clock } from '../../src/core/clock.ts';
import { AppError } from '../../src/core/errors.ts';
import type { WorkerProcess } from '../../src/ipc/fork.ts';
import type { ToWorker } from '../../src/ipc/protocol.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { finishEvent, startEvent, textEvents } from './fake-engine.ts';
import { type FakeWorker, fakeWorker } from './fake-worker.ts';
import { builtInModel } from './models.ts';
import { cleanEnvironment } from './server.ts';

/** What the model of this machine does with a request: answers, takes it and says nothing, or takes its process with it. */
export type LocalManner = 'answer' | 'hold' | 'crash';

/** The whole server in this process, on a real socket, with a configuration file and a data folder of its own. */
export interface GatewayServer {
  /** `http://127.0.0.1:PORT`. */
  baseUrl: string;
  app: App;
  /** Absolute path of its configuration file. */
  configFile: string;
  dataFolder: string;
  /** Workers that were started, in order; none where real ones were asked for. */
  workers: FakeWorker[];
  /** What the local model does from now on. */
  local(manner: LocalManner): void;
  /** Every line of the log, as it was written. */
  logged(): string[];
  /** Writes another file and puts it into force. Throws `ConfigError`. */
  reconfigure(file: object): Promise<void>;
  /** Ends it as SIGTERM does, and removes its folders. */
  close(): Promise<void>;
}

/** What is no matter of money here is not refused for it: services without prices may be asked. */
function affordable(file: object): object {
  return { budgets: { daily: 1_000_000, unknown_prices: 'allow' }, ...file };
}

/** What the fake model of this machine says to every prompt. */
export const localWords = ['It ', 'is ', 'answered ', 'here.'];

/**
 * Starts it with this configuration file. `clock`: of the whole server; left out: the machine's. `realWorkers`: the built-in
 * model itself answers, in a process of its own; left out: a fake one of that name, at once.
 */
export async function startGateway(
  file: object,
  options: { clock?: Clock; env?: Record<string, string>; realWorkers?: boolean; logLevel?: string } = {},
): Promise<GatewayServer> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'hearth-gateway-'));
  const configFile = join(dataFolder, 'hearth.yaml');
  await writeFile(configFile, stringify(affordable(file)));
  const env = cleanEnvironment({ HEARTH_CALIBRATE: 'off', HEARTH_GPU: 'off', ...options.env });
  const load = () => loadConfig({ flags: { port: '0', data: dataFolder, config: configFile }, env, cwd: dataFolder });
  let manner: LocalManner = 'answer';
  const workers: FakeWorker[] = [];
  const lines: string[] = [];
  const log = createLogger(
    options.logLevel ?? 'trace',
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(...String(chunk).split('\n').filter(Boolean));
        done();
      },
    }),
  );
  const app = await createApp(
    { config: load(), log, env, reread: { filePath: configFile, load } },
    {
      ...(options.clock && { clock: options.clock }),
      ...(!options.realWorkers && {
        fork: () => {
          const worker = fakeWorker();
          workers.push(worker);
          return answering(worker, () => manner);
        },
      }),
    },
  );
  const baseUrl = await app.http.listen();
  return {
    baseUrl,
    app,
    configFile,
    dataFolder,
    workers,
    local(next) {
      manner = next;
    },
    logged: () => [...lines],
    async reconfigure(next) {
      await writeFile(configFile, stringify(affordable(next)));
      app.configuration.reload();
    },
    async close() {
      await app.shutdown();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

const unary: ReadonlySet<ToWorker['type']> = new Set(['embed', 'rank', 'decide', 'count', 'tokens']);

/** A fake worker that does with each answer what it is told to. */
function answering(worker: FakeWorker, manner: () => LocalManner): WorkerProcess {
  const act: Record<LocalManner, (message: Extract<ToWorker, { type: 'generate' }>) => void> = {
    hold: () => {},
    crash: () => worker.exit({ signal: 'SIGSEGV' }),
    answer({ id, request }) {
      const words = localWords.slice(0, request.maxTokens ?? localWords.length);
      const events = [startEvent(request.model), ...textEvents(words, 0), finishEvent(words.length, 'stop')];
      worker.step(...events.map((event) => ({ id, event })));
    },
  };
  const refuse = ({ id }: { id: number }) => {
    if (manner() === 'crash') worker.exit({ signal: 'SIGSEGV' });
    if (manner() === 'answer')
      worker.emit({ type: 'refused', id, error: new AppError('not_supported', 'Not here.').toWire() });
  };
  return Object.assign(Object.create(worker) as FakeWorker, {
    send(message: ToWorker) {
      worker.send(message);
      if (message.type === 'generate') setImmediate(() => act[manner()](message));
      else if (unary.has(message.type)) setImmediate(() => refuse(message as { id: number }));
    },
  });
}

/** The section of a configuration file for a service of OpenAI's dialect. */
export function openAiSection(baseUrl: string, more: object = {}): object {
  return { type: 'openai', base_url: baseUrl, api_key: 'sk-canary-openai', models: [{ id: 'toy' }], ...more };
}

export { builtInModel };
