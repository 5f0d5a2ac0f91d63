import { createServer as createHttp1Server, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { converseViolations, type ModelLimits } from '../converse-rules.ts';
import { brokenFrame, eventFrame, exceptionFrame } from './frames.ts';
import { converseEvents, fakeAnswer, fakePromptTokens, messageEvents, wholeMessage } from './model.ts';
import { type FakeCredentials, type ReceivedRequest, refusalOf } from './signature.ts';

// biome-ignore lint/suspicious/noExplicitAny: bodies of the wire, read by hand
type Wire = any;
/** Both kinds answer alike. */
type Response = ServerResponse & Partial<Pick<Http2ServerResponse, 'stream'>>;

/** What goes wrong with one request, or what is answered in place of the usual. */
export type Fault =
  /** An error before the stream. `headers`: beside the type. */
  | { type: 'refuse'; name: string; message?: string; status?: number; headers?: Record<string, string> }
  /** Something that is none of AWS's answers. */
  | { type: 'page'; status: number; body: string; contentType?: string }
  /** The connection is gone before a byte of the answer. */
  | { type: 'reset' }
  /** Nothing ever comes. */
  | { type: 'silence' }
  /** An exception within the stream, after so many frames of the answer. */
  | { type: 'exception'; name: string; afterFrames: number; message?: string; fields?: object }
  /** After so many bytes the connection is gone, or the stream ends as if it were whole. */
  | { type: 'cut'; bytes: number; cleanly?: boolean }
  /** After so many frames nothing more comes. */
  | { type: 'stall'; afterFrames: number }
  /** The checksum of that frame is wrong. */
  | { type: 'broken-frame'; frame: number }
  /** The stream comes in pieces of so many bytes. */
  | { type: 'split'; bytes: number }
  /** These events in place of the model's: `[name, payload]` of ConverseStream, payloads of a message for InvokeModel. */
  | { type: 'events'; events: readonly Wire[]; stalls?: boolean }
  /** This whole answer of InvokeModel or CountTokens. */
  | { type: 'body'; body: Wire };

/** A request that arrived. */
export interface ArrivedRequest extends ReceivedRequest {
  operation: string;
  modelId: string;
  json: Wire;
  protocol: string;
}

export interface FakeBedrock {
  baseUrl: string;
  arrived: ArrivedRequest[];
  /** Taken one for each request, in order; none left: all goes well. */
  script: Fault[];
  /** Model ids that CountTokens counts for; null: all. */
  countsFor: Set<string> | null;
  /** Answers that are being sent. */
  running(): number;
  /** Connections that are open. */
  sockets(): number;
  close(): Promise<void>;
}

/** Who may ask, in tests. */
export const fakeCredentials: FakeCredentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  region: 'eu-central-1',
  bearerKey: 'bedrock-api-key-example',
};

/** Takes cache points as Claude does, unless the model is a Nova. */
const limitsOf = (modelId: string): ModelLimits =>
  modelId.includes('amazon.nova')
    ? { cachePlaces: ['system', 'messages'], mostCachePoints: 4, hour: false }
    : { cachePlaces: ['tools', 'system', 'messages'], mostCachePoints: 4, hour: true };

/** A local server that speaks Bedrock's wire over HTTP/1.1, or over HTTP/2 without TLS. */
export async function startFakeBedrock(protocol: 'h2' | 'http/1.1' = 'http/1.1'): Promise<FakeBedrock> {
  const sockets = new Set<Socket>();
  let running = 0;
  const handle = async (
    request: IncomingMessage | Http2ServerRequest,
    answered: ServerResponse | Http2ServerResponse,
  ) => {
    const response = answered as Response;
    running++;
    response.once('close', () => running--);
    // An abort of the client is what some tests are about.
    for (const end of [request, response]) (end as IncomingMessage).on('error', () => {});
    const received = await receive(request);
    const [, modelId = '', operation = ''] = /^\/model\/([^/]+)\/([^/?]+)/.exec(received.url) ?? [];
    const json = received.body.length === 0 ? {} : JSON.parse(received.body.toString('utf8'));
    const arrived = { ...received, operation, modelId: decodeURIComponent(modelId), json, protocol };
    fake.arrived.push(arrived);
    await answer(fake, arrived, response);
  };
  const server =
    protocol === 'h2'
      ? createHttp2Server((request, response) => void handle(request, response))
      : createHttp1Server((request, response) => void handle(request, response));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.on('sessionError', () => {});
  const fake: FakeBedrock = {
    baseUrl: '',
    arrived: [],
    script: [],
    countsFor: null,
    running: () => running,
    sockets: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}

async function receive(request: IncomingMessage | Http2ServerRequest): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const entries = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  const headers: Record<string, string> = Object.fromEntries(entries);
  headers['host'] ??= headers[':authority'] ?? '';
  return { method: request.method ?? '', url: request.url ?? '', headers, body: Buffer.concat(chunks) };
}

async function answer(fake: FakeBedrock, request: ArrivedRequest, response: Response): Promise<void> {
  const fault = fake.script.shift();
  const refusal = refusalOf(request, fakeCredentials);
  if (refusal !== null)
    return refuse(response, { name: refusal, message: 'user arn:aws:iam::123456789012:user/me', status: 403 });
  if (fault?.type === 'reset') return destroy(response);
  if (fault?.type === 'silence') return;
  if (fault?.type === 'refuse') return refuse(response, fault);
  if (fault?.type === 'page') {
    response.writeHead(fault.status, { 'content-type': fault.contentType ?? 'text/html' });
    response.end(fault.body);
    return;
  }
  const whole = (body: unknown) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-amzn-requestid': 'aws-request-1' });
    response.end(JSON.stringify(fault?.type === 'body' ? fault.body : body));
  };
  switch (request.operation) {
    case 'count-tokens': {
      if (fake.countsFor && !fake.countsFor.has(request.modelId)) {
        return refuse(response, {
          name: 'ValidationException',
          message: "The provided model doesn't support counting tokens.",
        });
      }
      const { converse, invokeModel } = request.json.input;
      const body = converse ?? JSON.parse(Buffer.from(invokeModel.body, 'base64').toString('utf8'));
      return whole({ inputTokens: fakePromptTokens(body) });
    }
    case 'converse-stream': {
      const [violation] = converseViolations(request.json, limitsOf(request.modelId));
      if (violation !== undefined) return refuse(response, { name: 'ValidationException', message: violation });
      const events: [string, unknown][] =
        fault?.type === 'events' ? [...fault.events] : converseEvents(fakeAnswer(request.json));
      return stream(
        response,
        events.map(([name, payload]) => eventFrame(name, payload)),
        fault,
      );
    }
    case 'invoke':
      return whole(wholeMessage(fakeAnswer(request.json)));
    case 'invoke-with-response-stream': {
      const events: Wire[] = fault?.type === 'events' ? [...fault.events] : messageEvents(fakeAnswer(request.json));
      const chunks = events.map((event) => {
        const text = typeof event === 'string' ? event : JSON.stringify(event);
        return eventFrame('chunk', { bytes: Buffer.from(text).toString('base64'), p: 'abcdefgh' });
      });
      return stream(response, chunks, fault);
    }
    default:
      return refuse(response, { name: 'UnknownOperationException', status: 404 });
  }
}

function refuse(
  response: Response,
  { name, message = name, status = 400, headers = {} }: Omit<Extract<Fault, { type: 'refuse' }>, 'type'>,
): void {
  const head = { 'content-type': 'application/json', 'x-amzn-errortype': name, 'x-amzn-requestid': 'aws-request-1' };
  response.writeHead(status, { ...head, ...headers });
  response.end(JSON.stringify({ message }));
}

async function stream(response: Response, frames: Buffer[], fault: Fault | undefined): Promise<void> {
  response.writeHead(200, {
    'content-type': 'application/vnd.amazon.eventstream',
    'x-amzn-requestid': 'aws-request-1',
  });
  let sent = frames;
  if (fault?.type === 'exception') {
    const { name, message = `${name} happened`, fields } = fault;
    sent = [...frames.slice(0, fault.afterFrames), exceptionFrame(name, { message, ...fields })];
  } else if (fault?.type === 'broken-frame') {
    sent = frames.map((frame, index) => (index === fault.frame ? brokenFrame(frame) : frame));
  } else if (fault?.type === 'stall') sent = frames.slice(0, fault.afterFrames);
  else if (fault?.type === 'cut') sent = [Buffer.concat(frames).subarray(0, fault.bytes)];
  else if (fault?.type === 'split') sent = pieces(Buffer.concat(frames), fault.bytes);
  for (const piece of sent) {
    if (response.destroyed) return;
    response.write(piece);
    await new Promise(setImmediate);
  }
  if (fault?.type === 'stall' || (fault?.type === 'events' && fault.stalls)) return;
  if (fault?.type === 'cut' && !fault.cleanly) destroy(response);
  else response.end();
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function destroy(response: Response): void {
  if (response.stream) response.stream.session?.destroy();
  else response.socket?.destroy();
}
