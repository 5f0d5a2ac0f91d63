import type { CallContext } from '../../core/call.ts';
import { AppError } from '../../core/errors.ts';
import type { KeptAnswerRequest, PassedAnswer } from '../../core/provider.ts';
import { createSseRecords } from '../../wire/sse-records.ts';
import { maxRecordBytes } from './answer.ts';
import type { ClientAnswer, ServiceClient } from './client.ts';
import { toldHeaders } from './errors.ts';

/** Asks the service about a response that it keeps; its answer passes as it comes. */
export async function askKept(
  { dialect, method, path, isStream }: KeptAnswerRequest,
  deps: { client: ServiceClient; provider: string; context: CallContext },
): Promise<PassedAnswer> {
  const { client, provider, context } = deps;
  context.signal.throwIfAborted();
  if (dialect !== 'openai') throw new AppError('not_supported', `${provider} keeps no answers of this dialect.`);
  const sent = await client.send({
    method,
    path: path.slice('/v1'.length),
    isConfigured: true,
    signal: context.signal,
    hops: context.hops,
    comesWhole: !isStream,
  });
  const type = sent.headers['content-type'] ?? 'application/json';
  return {
    status: sent.status,
    headers: { ...toldHeaders(sent.headers), 'content-type': type },
    bytes: bytesOf(sent, /text\/event-stream/i.test(type)),
  };
}

async function* bytesOf({ body, close }: ClientAnswer, isStream: boolean): AsyncGenerator<Uint8Array> {
  try {
    if (!isStream) return yield* body;
    // Whoever writes to the client may end the stream in its own words, so that nothing but whole records passes.
    const records = createSseRecords(maxRecordBytes);
    for await (const bytes of body) yield* records.push(bytes);
  } finally {
    close();
  }
}
