import { createApp, type FolderCount } from '../app.ts';
import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { gibibytes } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { createLogger } from '../observe/logger.ts';

/**
 * Starts the server, prints what a new user needs, and runs until SIGTERM or SIGINT: the first drains and exits with
 * 0, a second one exits at once with 1.
 */
export async function serve(config: Config, env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLogger(config.log.level);
  const app = await createApp({ config, log, env });
  const baseUrl = await app.http.listen().catch((error: NodeJS.ErrnoException) => {
    throw listenProblem(error, config) ?? error;
  });
  if (config.pulls.resume) app.store.resume();
  process.stdout.write(await banner(app, config, baseUrl));

  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    // Workers see the closed channel and end by themselves.
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'draining');
    app.shutdown().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
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
  const key = config.server.apiKeys.length === 0 ? '' : ' -H "Authorization: Bearer $HEARTH_API_KEY"';
  return `Hearth ${app.version} is serving ${baseUrl}
  APIs      OpenAI and Anthropic at /v1, Ollama at /api, native at / and /api/v1, WebSocket at /ws/generate; all of them: ${baseUrl}/docs
  models    ${modelsLine(app.countModels(), config)}
  default   ${fallback ? `${fallback.name} (${fallback.quantization})` : missingDefault(config)}
  memory    up to ${gibibytes(budgetBytes)}
  cores     ${config.engine.threads ?? app.cores}

Try it:
  curl ${baseUrl}/v1/chat/completions${key} -H 'Content-Type: application/json' -d '{"model":"default","messages":[{"role":"user","content":"What is Hearth?"}]}'
`;
}

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
