import type { FastifyInstance, FastifyReply } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { AppError, toAppError } from '../../../core/errors.ts';
import type { PullInfo } from '../../../core/pull.ts';
import { addIgnored, clientGone, namesIgnored, ndjsonFraming, sendStream } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { errorBody, ollamaError } from '../objects/errors.ts';
import { namedModel, tags } from '../objects/names.ts';
import { ignoredOptions } from '../objects/options.ts';
import { blobRoutes } from './blobs.ts';
import { type ProgressLine, toPullLines } from './progress.ts';
import { copyBody, createBody, deleteBody, progressLine, pullBody } from './schema.ts';
import { createToCore } from './to-core.ts';

/** Models that come and go: pulled, deleted, copied, made of others or of a file. */
export function addStoreRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { store } = deps;
  const errors = { ...errorAnswers(ollamaError), 404: jsonAnswer(ollamaError, 'There is no such model') };
  const progress = {
    description: 'The last line, or all of them',
    content: { 'application/json': { schema: progressLine }, 'application/x-ndjson': { schema: progressLine } },
  };

  app.post('/pull', {
    config: { scope: 'admin', startsWork: true },
    preHandler: namesIgnored(['insecure']),
    schema: {
      summary: 'Pull a model from the hub',
      description: 'Lines with its progress, or one object at its end with "stream": false. Going away stops it.',
      tags,
      body: pullBody,
      response: { 200: progress, ...errors },
    },
    handler: async (request, reply) => {
      const gone = clientGone(reply);
      const lines = await beginPull(deps, namedModel(request.body), gone.signal);
      return answerProgress(deps, reply, lines, { isStream: request.body.stream ?? true, gone });
    },
  });

  app.delete('/delete', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Delete a model, or a name that was made',
      tags,
      body: deleteBody,
      response: { 200: { description: 'It is gone' }, ...errors },
    },
    handler: async (request, reply) => {
      await store.remove(namedModel(request.body));
      return reply.code(200).send();
    },
  });

  app.post('/copy', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Give a model one more name',
      description: 'Nothing is copied on the disk; the model cannot be deleted while it has the name.',
      tags,
      body: copyBody,
      response: { 200: { description: 'It has the name' }, ...errors },
    },
    handler: async (request, reply) => {
      const { source, destination } = request.body;
      await store.make({ name: destination, from: { type: 'model', name: source }, preset: {} });
      return reply.code(200).send();
    },
  });

  app.post('/create', {
    config: { scope: 'admin', startsWork: true },
    preHandler: [
      namesIgnored(['license']),
      async ({ body }, reply) => addIgnored(reply, ignoredOptions(body, 'parameters')),
    ],
    schema: {
      summary: 'Make a name of a model, with a system text, a template and parameters, or a model of a file',
      tags,
      body: createBody,
      response: { 200: progress, ...errors },
    },
    handler: async (request, reply) => {
      const wish = createToCore(request.body);
      const gone = clientGone(reply);
      await store.make(wish);
      const lines = (async function* (): AsyncGenerator<ProgressLine> {
        yield { status: wish.from.type === 'blob' ? 'parsing GGUF' : 'using existing layer' };
        yield { status: 'writing manifest' };
        yield { status: 'success' };
      })();
      return answerProgress(deps, reply, lines, { isStream: request.body.stream ?? true, gone });
    },
  });

  app.register((scope) => blobRoutes(scope, deps));
}

/** Begins a pull, or joins it; one that was begun here ends with its client. What is here already and at no hub is pulled, too. */
async function beginPull(
  { store, engine }: RouteDeps,
  name: string,
  signal: AbortSignal,
): Promise<AsyncIterable<ProgressLine>> {
  const before = new Set(store.pulls().map(({ id }) => id));
  try {
    const pull = await store.pull({ name }, signal);
    if (!before.has(pull.id)) {
      signal.addEventListener('abort', () => {
        // Where it has ended meanwhile there is nothing to stop.
        store.cancelPull(pull.id, { discard: false }).catch(() => {});
      });
    }
    return toPullLines(store.watchPull(pull.id, signal) satisfies AsyncIterable<PullInfo>);
  } catch (thrown) {
    const error = toAppError(thrown);
    const isNowhere = error.code === 'model_not_found' || error.code === 'invalid_request';
    if (!isNowhere || !(await isHere(engine, name))) throw error;
    return (async function* (): AsyncGenerator<ProgressLine> {
      yield { status: 'success' };
    })();
  }
}

async function isHere({ getModel }: RouteDeps['engine'], name: string): Promise<boolean> {
  try {
    await getModel(name);
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

/** All lines as they come, or the last one. */
async function answerProgress(
  deps: Pick<RouteDeps, 'clock' | 'log'>,
  reply: FastifyReply,
  lines: AsyncIterable<ProgressLine>,
  { isStream, gone }: { isStream: boolean; gone: AbortController },
): Promise<FastifyReply | ProgressLine> {
  if (isStream) {
    return sendStream<object>(reply, lines, {
      framing: ndjsonFraming,
      gone,
      clock: deps.clock,
      log: deps.log,
      onFailure: (thrown) => [errorBody(toAppError(thrown))],
    });
  }
  let last: ProgressLine = { status: 'success' };
  for await (const line of lines) last = line;
  return last;
}
