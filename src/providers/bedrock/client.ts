import type {
  BedrockRuntimeClient,
  BedrockRuntimeClientConfig,
  ConverseStreamCommandInput,
  ConverseStreamOutput,
  CountTokensCommandInput,
  InvokeModelCommandInput,
  ResponseStream,
} from '@aws-sdk/client-bedrock-runtime';
import type { ProviderConfig } from '../../config/providers.ts';
import { ForeignAnswer } from './errors.ts';
import { createHttp1Handler } from './http1.ts';

/** What AWS answered before the body. */
interface Answered {
  /** AWS's own id of the request; null: it named none. */
  requestId: string | null;
}

/** The calls of Bedrock that we make. They reject with whatever the SDK throws; `signal` ends them at any time. */
export interface BedrockClient {
  converseStream(
    input: ConverseStreamCommandInput,
    signal: AbortSignal,
  ): Promise<Answered & { events: AsyncIterable<ConverseStreamOutput> }>;
  invoke(input: InvokeModelCommandInput, signal: AbortSignal): Promise<Answered & { body: Uint8Array }>;
  invokeStream(
    input: InvokeModelCommandInput,
    signal: AbortSignal,
  ): Promise<Answered & { events: AsyncIterable<ResponseStream> }>;
  countTokens(input: CountTokensCommandInput, signal: AbortSignal): Promise<number>;
  /** The region that requests are sent to; rejects where none is configured anywhere. */
  region(): Promise<string>;
  close(): void;
}

/** How the SDK is set up, beside the configuration. */
export interface ClientOptions {
  config: ProviderConfig;
  /** Left out: AWS's own chain (environment, profiles, roles, the machine's). */
  credentials?: NonNullable<BedrockRuntimeClientConfig['credentials']>;
  /** Left out: HTTP/2, as the SDK speaks to AWS; HTTP/1.1 where the base address has no TLS. */
  protocol?: 'h2' | 'http/1.1';
}

/** Speaks through the official SDK, loaded with the first request, its own retries off. */
export function createBedrockClient(options: ClientOptions): BedrockClient {
  let loading: ReturnType<typeof load> | null = null;
  const loaded = () => {
    loading ??= load(options);
    return loading;
  };
  return {
    async converseStream(input, abortSignal) {
      const { client, sdk } = await loaded();
      const { stream, $metadata } = await client.send(new sdk.ConverseStreamCommand(input), { abortSignal });
      return { events: stream ?? none(), requestId: $metadata.requestId ?? null };
    },
    async invoke(input, abortSignal) {
      const { client, sdk } = await loaded();
      const { body, $metadata } = await client.send(new sdk.InvokeModelCommand(input), { abortSignal });
      return { body, requestId: $metadata.requestId ?? null };
    },
    async invokeStream(input, abortSignal) {
      const { client, sdk } = await loaded();
      const command = new sdk.InvokeModelWithResponseStreamCommand(input);
      const { body, $metadata } = await client.send(command, { abortSignal });
      return { events: body ?? none(), requestId: $metadata.requestId ?? null };
    },
    async countTokens(input, abortSignal) {
      const { client, sdk } = await loaded();
      const { inputTokens } = await client.send(new sdk.CountTokensCommand(input), { abortSignal });
      return inputTokens ?? 0;
    },
    async region() {
      return (await loaded()).client.config.region();
    },
    close() {
      // Whoever still asks, as a request that tries again, gets another one.
      const open = loading;
      loading = null;
      void open?.then(({ client }) => client.destroy());
    },
  };
}

async function load(options: ClientOptions): Promise<{
  sdk: typeof import('@aws-sdk/client-bedrock-runtime');
  client: BedrockRuntimeClient;
}> {
  const sdk = await import('@aws-sdk/client-bedrock-runtime');
  const client = new sdk.BedrockRuntimeClient(settingsOf(options));
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      await refuseForeign(result.response as ForeignResponse);
      return result;
    },
    // Before the SDK makes an error of JSON out of a page, and its text is gone.
    { step: 'deserialize', priority: 'low', name: 'foreignAnswers' },
  );
  const { headers } = options.config;
  if (Object.keys(headers).length > 0) {
    // Before the request is signed, so that the signature covers them.
    client.middlewareStack.add(
      (next) => (args) => {
        const { request } = args as { request: { headers: Record<string, string> } };
        for (const [name, value] of Object.entries(headers)) request.headers[name.toLowerCase()] = value.reveal();
        return next(args);
      },
      { step: 'build', name: 'configuredHeaders' },
    );
  }
  return { sdk, client };
}

function settingsOf({ config, credentials, protocol }: ClientOptions): BedrockRuntimeClientConfig {
  const { apiKey, baseUrl, region, timeouts } = config;
  const isPlain = baseUrl?.startsWith('http:') ?? false;
  const speaks = protocol ?? (isPlain ? 'http/1.1' : 'h2');
  return {
    // What is tried again, and where, is decided in one place for all providers.
    maxAttempts: 1,
    ...(region !== null && { region }),
    ...(baseUrl !== null && { endpoint: baseUrl }),
    ...(apiKey !== null && { token: { token: apiKey.reveal() }, authSchemePreference: ['httpBearerAuth'] }),
    ...(credentials && { credentials }),
    requestHandler:
      speaks === 'http/1.1'
        ? createHttp1Handler()
        : // Our own limits of time come first; the SDK's would end a silent connection after five minutes.
          { disableConcurrentStreams: true, sessionTimeout: Math.max(timeouts.firstByteMs, timeouts.idleMs) + 60_000 },
  };
}

interface ForeignResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
}

/** Most that is read of a page, in bytes; a message shows less. */
const mostPageBytes = 4096;

/** Throws what AWS did not say: neither JSON nor an event stream, from whatever stands in between. */
async function refuseForeign({ statusCode, headers, body }: ForeignResponse): Promise<void> {
  const type = headers['content-type'] ?? '';
  if (/json|vnd\.amazon\.eventstream/.test(type) || (type === '' && statusCode === 200)) return;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= mostPageBytes) break;
  }
  throw new ForeignAnswer(statusCode, Buffer.concat(pieces).toString('utf8', 0, mostPageBytes));
}

async function* none(): AsyncGenerator<never, void> {}
