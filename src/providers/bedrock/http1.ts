import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { BedrockRuntimeClientResolvedConfig } from '@aws-sdk/client-bedrock-runtime';

type RequestHandler = BedrockRuntimeClientResolvedConfig['requestHandler'];
type HandlerArguments = Parameters<RequestHandler['handle']>;
type Handled = Awaited<ReturnType<RequestHandler['handle']>>;

/**
 * Sends the SDK's requests over HTTP/1.1 with connections that are kept, for endpoints that speak no HTTP/2: what stands
 * between us and AWS under a `base_url` of `http:`. It has no limits of time; whoever asks has them.
 */
export function createHttp1Handler(): RequestHandler {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request, options) => send(agents, request, options),
    destroy() {
      agents.http.destroy();
      agents.https.destroy();
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function send(
  agents: { http: HttpAgent; https: HttpsAgent },
  request: HandlerArguments[0],
  settings: { abortSignal?: unknown } = {},
): Promise<Handled> {
  const signal = settings.abortSignal as AbortSignal | undefined;
  return new Promise((resolve, reject) => {
    const query = new URLSearchParams((request.query ?? {}) as Record<string, string>).toString();
    const isTls = request.protocol === 'https:';
    const options = {
      host: request.hostname.replace(/^\[|\]$/g, ''),
      ...(request.port !== undefined && { port: request.port }),
      path: query === '' ? request.path : `${request.path}?${query}`,
      method: request.method,
      headers: request.headers,
      agent: isTls ? agents.https : agents.http,
    };
    let answered: IncomingMessage | null = null;
    const onResponse = (response: IncomingMessage) => {
      answered = response;
      // Whoever reads the body is told there; nobody may be reading any more.
      response.on('error', () => {});
      const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
      const answer = { statusCode: response.statusCode ?? 0, headers: Object.fromEntries(headers), body: response };
      resolve({ response: answer as unknown as Handled['response'] });
    };
    const sent = isTls ? httpsRequest(options, onResponse) : httpRequest(options, onResponse);
    sent.on('error', reject);
    // Ends the request, and the answer where it has begun; of one that is whole the connection stays for the next. Without
    // an error of our own: nobody would hear it on a connection that was just given back.
    const abort = () => {
      if (!answered?.complete) sent.destroy();
    };
    signal?.addEventListener('abort', abort, { once: true });
    sent.once('close', () => signal?.removeEventListener('abort', abort));
    if (signal?.aborted) abort();
    else sent.end(request.body);
  });
}
