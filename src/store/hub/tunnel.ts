import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { AppError } from '../../core/errors.ts';
import { TransientHubError } from './hub-errors.ts';

// Not left to Node's own `https.Agent({ proxyEnv })`: tried with 24.21.0 against the tests of this file, it reads the same
// variables and credentials, but a request cannot be ended while its tunnel is being made. A proxy that says nothing, or
// connects to nobody, keeps the request without an error and the socket open, whether the signal is aborted, the
// request destroyed or the agent. Its NO_PROXY also takes `huggingface.co` for that host alone, not for those below it.

/** A proxy that connections to the hub go through. */
export interface HubProxy {
  /** `http:` or `https:`, perhaps with a user name and a password. */
  url: URL;
  /** Hosts that are reached without it, as in `NO_PROXY`. */
  except: readonly string[];
}

/**
 * Whether the URL is reached through the proxy: every HTTPS address, unless its host, a domain above it or `*` is
 * excepted, with a port only that port. Plain HTTP, which only a hub of the operator's own network has, goes directly.
 */
export function isProxied(url: URL, { except }: HubProxy): boolean {
  if (url.protocol !== 'https:') return false;
  const port = url.port || '443';
  return !except.some((entry) => {
    const [, name = '', onlyPort] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry.trim().toLowerCase())!;
    if (onlyPort !== undefined && onlyPort !== port) return false;
    return name !== '' && (name === '*' || url.hostname === name || url.hostname.endsWith(`.${name}`));
  });
}

/**
 * Asks the proxy for a connection to the host of an `https:` URL and speaks TLS over it: the proxy sees the name of the
 * host and nothing of what is said. The proxy resolves the name, so its address is not checked here; the caller has
 * checked the name. Where the proxy itself is, is the operator's choice. Rejects
 * with `hub_failed` when the proxy refuses, with `TransientHubError` or a system error for what may pass.
 */
export async function openTunnel(
  { url: proxy }: HubProxy,
  target: URL,
  options: { signal: AbortSignal; ca?: string },
): Promise<TLSSocket> {
  const { signal } = options;
  const socket = await connectThrough(proxy, `${target.hostname}:${target.port || '443'}`, signal);
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
  const secure = tlsConnect({
    socket,
    host,
    // An address is no name that a server could be asked for; its certificate is compared all the same.
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ['http/1.1'],
    ...(options.ca !== undefined && { ca: options.ca }),
  });
  const stop = () => secure.destroy(signal.reason);
  signal.addEventListener('abort', stop);
  try {
    await new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve);
      secure.once('error', reject);
      secure.once('close', () => reject(new TransientHubError('the proxy cut the connection')));
    });
    return secure;
  } catch (error) {
    secure.destroy();
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function connectThrough(proxy: URL, authority: string, signal: AbortSignal): Promise<Socket> {
  const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const request = send({
    host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    method: 'CONNECT',
    path: authority,
    agent: false,
    signal,
    headers: {
      host: authority,
      ...(credentials !== ':' && { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
    },
  });
  const [response, socket] = await new Promise<[IncomingMessage, Socket]>((resolve, reject) => {
    request.once('connect', (answer, connected: Socket) => resolve([answer, connected]));
    request.once('error', reject);
    request.end();
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return socket;
  socket.destroy();
  if (status >= 500) throw new TransientHubError(`the proxy answered with status ${status}`);
  throw new AppError('hub_failed', `The proxy does not connect to ${authority} (status ${status}).`, {
    fix:
      status === 407
        ? 'Put its user name and password into models.hub_proxy: http://NAME:PASSWORD@HOST:PORT.'
        : 'Allow the host at the proxy, or choose another in models.hub_proxy.',
    details: { status },
  });
}
