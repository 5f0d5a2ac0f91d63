import { readFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';

/** Sends JSON and reads JSON. */
export async function postJson(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** A chat with one question, greedy; the answer's text and token counts. */
export async function ask(baseUrl: string, question: string, model = 'default') {
  const { status, body } = await postJson(`${baseUrl}/v1/chat/completions`, {
    model,
    messages: [{ role: 'user', content: question }],
    temperature: 0,
  });
  if (status !== 200) throw new Error(`status ${status}: ${JSON.stringify(body)}`);
  const { choices, usage } = body as {
    choices: { message: { content: string | null }; finish_reason: string }[];
    usage: { prompt_tokens: number; completion_tokens: number };
  };
  return { text: choices[0]!.message.content, finishReason: choices[0]!.finish_reason, usage };
}

/** Asks for a WebSocket where none is expected: the status of the answer. */
export function statusOfUpgrade(url: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const sent = httpRequest(url, { headers: { ...headers, ...upgrade } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject).end();
  });
}

/** A streaming request on a socket of its own, so that a test can cut it at any moment. */
export interface RawStream {
  /** Resolves with the response once the status line is there. */
  response: Promise<IncomingMessage>;
  /** The next `data:` record as text, null at the end of the stream or when the socket broke. */
  next(): Promise<string | null>;
  /** All records that are left. */
  rest(): Promise<string[]>;
  /** Cuts the connection, as a client does that goes away. */
  destroy(): void;
}

export function openStream(url: string, body: unknown): RawStream {
  const text = JSON.stringify(body);
  const request: ClientRequest = httpRequest(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
  // Who destroys the request before it was answered does not wait for the response.
  response.catch(() => {});
  request.end(text);
  const records = readRecords(response);
  const next = async () => (await records.next()).value ?? null;
  return {
    response,
    next,
    async rest() {
      const all: string[] = [];
      for (let record = await next(); record !== null; record = await next()) all.push(record);
      return all;
    },
    destroy: () => request.destroy(),
  };
}

async function* readRecords(response: Promise<IncomingMessage>): AsyncGenerator<string, undefined> {
  const records: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => records.push(data) });
  try {
    for await (const chunk of (await response).setEncoding('utf8')) {
      parser.feed(chunk);
      yield* records.splice(0);
    }
  } catch {
    // The socket broke: the stream is over, and the test sees that no terminal record came.
  }
  return undefined;
}

/** Value of one series of /metrics, 0 when it is not there. */
export async function metric(baseUrl: string, series: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${baseUrl}/metrics`, { headers });
  const text = await response.text();
  if (!response.ok) throw new Error(`status ${response.status}: ${text}`);
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}

/** Asks again and again until `check` gives a value; the test's own limit ends a wait that never succeeds. */
export async function eventually<T>(check: () => Promise<T | null | undefined | false>): Promise<T> {
  while (true) {
    const value = await check();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Pids of the worker processes of a server. */
export function workerPids(serverPid: number): number[] {
  const children = readFileSync(`/proc/${serverPid}/task/${serverPid}/children`, 'utf8').trim();
  if (children === '') return [];
  return children
    .split(' ')
    .map(Number)
    .filter((pid) => commandLine(pid).includes('worker/main.ts'));
}

/** Whether a process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    // No such process.
    return false;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended between the two reads.
    return '';
  }
}
