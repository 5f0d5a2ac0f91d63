import { createApp } from '../app.ts';
import type { Config } from '../config/schema.ts';
import { AppError } from '../core/errors.ts';
import { createLogger } from '../observe/logger.ts';
import { type PlanAnswer, planTable } from './plan-table.ts';

/** Flags of `hearth plan`, as they were written. */
export interface PlanFlags {
  quantization?: string;
  contextLength?: string;
  parallel?: string;
  json?: boolean;
}

/**
 * Prints how a model would be loaded. Asks the server that this configuration describes, which knows what is loaded;
 * plans in this process where none listens. Resolves with the exit code: 0 it fits, 1 it does not or there is no answer.
 */
export async function showPlan(
  name: string,
  flags: PlanFlags,
  deps: { config: Config; env: NodeJS.ProcessEnv; write: (text: string) => void; fail: (text: string) => void },
): Promise<number> {
  const query = new URLSearchParams({
    ...(flags.quantization !== undefined && { quantization: flags.quantization }),
    ...(flags.contextLength !== undefined && { context_length: flags.contextLength }),
    ...(flags.parallel !== undefined && { parallel: flags.parallel }),
  });
  const path = `/models/${encodeURIComponent(name)}/plan?${query}`;
  const { status, body } = (await askServer(path, deps.config)) ?? (await askHere(path, deps));
  if (status !== 200) {
    const { error } = body as { error?: { message?: string } };
    deps.fail(`hearth: ${error?.message ?? `the server answered with status ${status}`}`);
    return 1;
  }
  const answer = body as PlanAnswer;
  deps.write(flags.json ? `${JSON.stringify(answer, null, 2)}\n` : planTable(answer));
  return answer.fits ? 0 : 1;
}

interface Answer {
  status: number;
  body: unknown;
}

/** Null when nobody listens there. */
async function askServer(path: string, { server }: Config): Promise<Answer | null> {
  const host = ['0.0.0.0', '::'].includes(server.host) ? '127.0.0.1' : server.host;
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
  const key = server.apiKeys[0];
  try {
    const response = await fetch(`${origin}${path}`, {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(10_000),
    });
    // Whoever else listens there does not answer in JSON.
    return { status: response.status, body: await response.json() };
  } catch {
    return null;
  }
}

/** The same answer from a server that is built and never listens. */
async function askHere(path: string, deps: { config: Config; env: NodeJS.ProcessEnv }): Promise<Answer> {
  const config = { ...deps.config, server: { ...deps.config.server, apiKeys: [] } };
  const app = await createApp({ config, log: createLogger('silent'), env: deps.env });
  try {
    const response = await app.http.app.inject({ method: 'GET', url: path });
    return { status: response.statusCode, body: response.json() };
  } catch (error) {
    throw new AppError('internal_error', 'The plan could not be made.', { cause: error });
  } finally {
    await app.shutdown();
  }
}
