import { type App, createApp, type FolderCount } from '../app.ts';
import { prepareFolders } from '../config/folders.ts';
import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { ShownSetting } from '../config/show.ts';
import type { ConfigStore } from '../config/store.ts';
import { watchFile } from '../config/watch.ts';
import { systemClock } from '../core/clock.ts';
import { gigabytes } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { type KeyState, keyStateOf } from '../core/provider.ts';
import { FolderInUse, type FolderLock, waitForFolderLock } from '../files/folder-lock.ts';
import { createLogLines } from '../observe/log-lines.ts';
import { createLogger, type Logger } from '../observe/logger.ts';

/**
 * Starts the server, prints what a new user needs, and runs until SIGTERM or SIGINT: the first drains and exits with
 * 0, a second one exits at once with 1. SIGHUP, and a change of the configuration file, reads the configuration again.
 * `isWatched`: a person sees the error stream.
 */
export async function serve(
  reread: { load: (filePath?: string) => Config; filePath: string | null; show: () => readonly ShownSetting[] },
  { env, isWatched }: { env: NodeJS.ProcessEnv; isWatched: boolean },
): Promise<void> {
  const configFile = reread.filePath;
  const config = reread.load();
  const logLines = createLogLines();
  const log = createLogger(config.log.level, undefined, logLines, { isText: isText(config, isWatched) });
  prepareFolders(config);
  const stopping = stopOnSignals(log);
  const lock = await takeLock(config, stopping.signal);
  process.on('exit', () => lock.release());
  const app = await createApp({ config, log, logLines, env, reread });
  const baseUrl = await app.http.listen().catch((error: NodeJS.ErrnoException) => {
    throw listenProblem(error, config) ?? error;
  });
  publishLocalKey(app, baseUrl, log);
  if (config.pulls.resume) app.store.resume();
  stopping.withShutdown(() => app.shutdown());
  const reload = () => reloadConfiguration(app.configuration, log);
  process.on('SIGHUP', reload);
  const { lastRead } = app.configuration;
  if (configFile !== null) watchFile(configFile, { clock: systemClock, lastRead, onChange: reload });

  const text = await banner(app, config, baseUrl);
  // What only the start needed, before anybody asks anything.
  app.releaseMemory();
  process.stdout.write(text);
  app.restoreModels();
}

/**
 * Ends the process on SIGTERM or SIGINT: as long as nothing is served at once, later after the shutdown. From the first moment:
 * who stops a start must not leave the folder locked. A second signal ends it at once, with 1.
 */
function stopOnSignals(log: Logger): { signal: AbortSignal; withShutdown(shutdown: () => Promise<void>): void } {
  const stopping = new AbortController();
  let shutDown: (() => Promise<void>) | null = null;
  const stop = (signal: NodeJS.Signals) => {
    // Workers see the closed channel and end by themselves.
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    if (shutDown === null) process.exit(0);
    log.info({ signal }, 'draining');
    shutDown().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return {
    signal: stopping.signal,
    withShutdown(shutdown) {
      shutDown = shutdown;
    },
  };
}

/**
 * Two servers on one folder would each take what is the other's for its own. Rejects with a `ConfigError` that names the first.
 * One that was ended in another container is given up after some seconds.
 */
async function takeLock({ dataFolder }: Config, signal: AbortSignal): Promise<FolderLock> {
  // Timers alone keep no process alive.
  const waiting = setInterval(() => {}, 60_000);
  try {
    return await waitForFolderLock(dataFolder, {
      clock: systemClock,
      signal,
      onWait: ({ host }) =>
        console.error(
          `hearth: another Hearth${host === null ? '' : ` (on ${host})`} has left ${dataFolder} locked; looking whether it still runs …`,
        ),
    });
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
    const { pid, host } = error;
    const who = host === null ? `process ${pid ?? 'unknown'}` : `process ${pid} on ${host}`;
    throw new ConfigError(
      `the data folder ${dataFolder} is in use by another Hearth (${who}); stop that one, or choose another folder with --data or HEARTH_DATA`,
    );
  } finally {
    clearInterval(waiting);
  }
}

const isText = ({ log: { format } }: Config, isWatched: boolean) =>
  format === 'text' || (format === 'auto' && isWatched);

/** Without it commands on this machine need a key like everybody. */
function publishLocalKey({ localKey }: Pick<App, 'localKey'>, baseUrl: string, log: Logger): void {
  try {
    localKey.publish(Number(new URL(baseUrl).port));
  } catch (err) {
    log.warn({ err }, 'commands on this machine will need a key: the data folder does not take one for them');
  }
}

/** A bad file leaves the old configuration in force; the log says why. */
function reloadConfiguration(configuration: ConfigStore, log: Logger): void {
  try {
    const { needRestart, ...changes } = configuration.reload();
    log.info(changes, 'the configuration was read again');
    if (needRestart.length > 0) log.warn({ needRestart }, 'these settings change only with a restart');
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err;
    log.error({ problems: err.problems, err: err.cause }, 'the configuration cannot be used; the old one stays');
  }
}

/** What an operator can do about an address that cannot be bound; null for anything else. */
function listenProblem(error: NodeJS.ErrnoException, config: Config): ConfigError | null {
  const { host, port } = config.server;
  if (error.code === 'EADDRINUSE') {
    return new ConfigError(`port ${port} is in use; choose another with --port or HEARTH_PORT`);
  }
  if (error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new ConfigError(`${host} port ${port} cannot be bound (${error.code}); see --host and --port`);
  }
  return null;
}

async function banner(app: Awaited<ReturnType<typeof createApp>>, config: Config, baseUrl: string): Promise<string> {
  const models = await app.engine.listModels();
  const usable = models.filter((model) => model.state !== 'invalid');
  const fallback = usable.find(({ name, aliases }) => [name, ...aliases].includes('default'));
  const { budgetBytes } = app.engine.memory();
  const key = !app.asksForKey() ? '' : ' -H "Authorization: Bearer $HEARTH_API_KEY"';
  return `Hearth ${app.version} is serving ${baseUrl}
  page      ${baseUrl}/ui
  APIs      OpenAI and Anthropic at /v1, Ollama at /api, native at / and /api/v1, WebSocket at /ws/generate; all of them: ${baseUrl}/docs
  models    ${modelsLine(app.countModels(), config)}
  default   ${fallback ? `${fallback.name} (${fallback.quantization})` : missingDefault(config)}
  memory    up to ${gigabytes(budgetBytes)}
  cores     ${config.engine.threads ?? app.cores}
  providers ${providersLine(app, config)}

Try it:
  curl ${baseUrl}/v1/chat/completions${key} -H 'Content-Type: application/json' -d '{"model":"default","messages":[{"role":"user","content":"What is Hearth?"}]}'
`;
}

/** Other sources of answers, and whether their keys are there. Nobody is asked for that. */
function providersLine({ providers }: Pick<App, 'providers'>, { cloud }: Config): string {
  if (cloud.providers.size === 0) return 'this machine alone';
  const named = [...cloud.providers.values()].map(({ id, enabled, apiKey, type }) => {
    const state = keyStateOf(apiKey !== null, providers.all().get(id)!.status());
    return `${id} (${!enabled ? 'off' : state === 'not_needed' && type === 'bedrock' ? 'AWS credentials' : keyWords[state]})`;
  });
  return `${named.join(', ')}${cloud.cloudAllowed ? '' : '; nothing leaves this machine, by global.cloud'}`;
}

const keyWords: Readonly<Record<KeyState, string>> = { set: 'key set', missing: 'no key', not_needed: 'no key needed' };

/** The built-in one is counted apart: it need not lie in the folder of the operator. */
function modelsLine({ usable, unusable, hasBuiltin, leftOut }: FolderCount, { models }: Config): string {
  const notes = [
    ...(unusable > 0 ? [`${unusable} more cannot be used`] : []),
    ...(leftOut > 0 ? ['some files are left out'] : []),
  ];
  const why = notes.length > 0 ? ` (${notes.join(', ')}; see /models)` : '';
  return `${usable} in ${toPrintable(models.folder)}${why}${hasBuiltin ? ', and the built-in one' : ''}`;
}

/** Why `default` leads to nothing. */
function missingDefault({ models }: Config): string {
  if (models.default !== null) return `${toPrintable(models.default)}, which is not on disk`;
  return models.builtin ? 'none: the built-in model is missing' : 'none: choose one with HEARTH_DEFAULT_MODEL';
}
