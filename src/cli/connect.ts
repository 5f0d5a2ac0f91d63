import { ConfigError } from '../config/load.ts';
import { isLoopback } from '../config/rules.ts';
import type { Config } from '../config/schema.ts';
import type { SayCommand } from '../core/say-command.ts';
import { readLocalKey } from '../files/local-key.ts';
import type { HearthClient } from './client.ts';
import { hello } from './native-api.ts';
import { remoteClient } from './remote-client.ts';

/** Time that a server has to say that it is there. */
const helloMs = 2_000;
/** A health report is far smaller; whoever sends more is somebody else. */
const longestHelloCharacters = 64 * 1_024;

/** `note` is shown to the person, beside what the command prints. */
interface ConnectDeps {
  config: Config;
  env: NodeJS.ProcessEnv;
  sayCommand: SayCommand;
  note: (text: string) => void;
}

/**
 * The way to Hearth that this configuration describes: the server at `HEARTH_URL`, else the one at the configured host
 * and port, else this process itself. The other side first has to say in its public health report that it is Hearth;
 * only then it gets the key. Throws `ConfigError` when `HEARTH_URL` is set and no Hearth answers there: work on the files of
 * this machine would then be a surprise.
 */
export async function connect({ config, env, sayCommand, note }: ConnectDeps): Promise<HearthClient> {
  const { url } = config.server;
  const address = addressOf(config.server);
  // It is the whole server, which takes a while to read.
  const openLocal = async () => (await import('./local-client.ts')).localClient({ config, env, sayCommand, address });
  if (address === null) return openLocal();
  const found = await whoAnswers(address);
  if (found.is === 'hearth') {
    const apiKey = ownKeyOf(config) ?? localKeyOf(config, address);
    return remoteClient({ address, apiKey, openLocal, sayCommand });
  }
  if (url !== null) {
    const trust = url.startsWith('https:') ? ', or name a certificate of your own in NODE_EXTRA_CA_CERTS' : '';
    throw new ConfigError(
      `no Hearth answers at ${address} (${found.reason}); no key was sent. Start the server, correct HEARTH_URL${trust}`,
    );
  }
  if (found.is === 'other') {
    note(
      `what answers at ${address} is not Hearth (${found.reason}); no key was sent, and this works without a server.`,
    );
  }
  return openLocal();
}

/** The key of the person at the keyboard: one that may do everything, as far as the configuration has such a one. */
function ownKeyOf({ server, cloud }: Config): string | undefined {
  const ofFile = cloud.keys.find(({ scopes }) => scopes.includes('admin')) ?? cloud.keys[0];
  return server.apiKeys[0] ?? ofFile?.key.reveal();
}

/** What a server of this machine has left for its own commands; never for another host. */
function localKeyOf({ dataFolder }: Config, address: string): string | undefined {
  const { protocol, hostname, port } = new URL(address);
  if (protocol !== 'http:' || !isLoopback(hostname.replace(/^\[|\]$/g, ''))) return undefined;
  return readLocalKey(dataFolder, Number(port || 80)) ?? undefined;
}

/** Where the server is; null when nobody can know, because it takes any free port. */
function addressOf({ url, host, port }: Config['server']): string | null {
  if (url !== null) return url.replace(/\/+$/, '');
  if (port === 0) return null;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Nobody listens there, as far as one can see from here. `bad port`: one that `fetch` never asks. */
const absences = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'bad port'];

type Found = { is: 'hearth' } | { is: 'nobody' | 'other'; reason: string };

/** Asks what everybody may know, without a key. */
async function whoAnswers(address: string): Promise<Found> {
  try {
    // A redirect would lead to somebody who was not asked for.
    const response = await fetch(`${address}/health`, { redirect: 'manual', signal: AbortSignal.timeout(helloMs) });
    if (isHello(await beginningOf(response))) return { is: 'hearth' };
    return { is: 'other', reason: `it answers with status ${response.status} and does not say that it is Hearth` };
  } catch (error) {
    const reason = networkReason(error);
    return { is: absences.includes(reason) ? 'nobody' : 'other', reason };
  }
}

async function beginningOf(response: Response): Promise<string> {
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > longestHelloCharacters) break;
  }
  return text;
}

function isHello(text: string): boolean {
  try {
    return hello.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

/** Why `fetch` failed, in a few words: `ECONNREFUSED`, `self-signed certificate`. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return 'unknown error';
  if (cause.name === 'TimeoutError') return `no answer within ${helloMs / 1_000} s`;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  if (absences.includes(code)) return code;
  // OpenSSL's messages are lines of places in its source; its reason says what happened.
  return 'reason' in cause && typeof cause.reason === 'string' ? cause.reason : cause.message;
}
