import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { AppError } from '../../../core/errors.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers } from '../../mount/describe.ts';
import { ollamaError } from '../objects/errors.ts';
import { tags } from '../objects/names.ts';
import { blobPath } from './schema.ts';

/** Larger than any disk of such a machine: the disk bounds it. */
const maxBlobBytes = 2 ** 45;

/** Files on their way to become models: `HEAD` and `POST /blobs/{digest}`. */
export async function blobRoutes(instance: FastifyInstance, deps: RouteDeps): Promise<void> {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { store } = deps;
  // A blob is bytes, whatever its client calls them: Ollama's says JSON.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  app.head('/blobs/:digest', {
    config: { scope: 'admin' },
    schema: { params: blobPath, hide: true },
    handler: async (request, reply) => {
      if (!(await store.hasBlob(request.params.digest))) throw new AppError('not_found', 'There is no such blob.');
      return reply.code(200).send();
    },
  });

  app.post('/blobs/:digest', {
    config: { scope: 'admin', startsWork: true, allowsEmptyBody: true, receivesSlowly: true },
    bodyLimit: maxBlobBytes,
    schema: {
      summary: 'Send a file that a model is then made of',
      description: 'The body is its bytes; their SHA-256 must be that of the address.',
      tags,
      params: blobPath,
      response: { 201: { description: 'It is here' }, ...errorAnswers(ollamaError) },
    },
    handler: async (request, reply) => {
      const bytes = request.body;
      if (!isBytes(bytes)) throw new AppError('invalid_request', 'A body is required: the bytes of the blob.');
      const sizeBytes = Number(request.headers['content-length'] ?? Number.NaN);
      await store.saveBlob(request.params.digest, bytes, Number.isSafeInteger(sizeBytes) ? sizeBytes : null);
      return reply.code(201).send();
    },
  });
}

const isBytes = (body: unknown): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
