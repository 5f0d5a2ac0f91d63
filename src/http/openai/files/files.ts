import { Readable } from 'node:stream';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { type StoredFile, storedFileId } from '../../../core/stored-files.ts';
import { addIgnored } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { shuttingDown } from '../../plugins/drain.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { readUpload } from './form.ts';
import { rangeOf } from './range.ts';
import { deletedFile, fileAnswer, fileListAnswer, fileListQuery, filePath, uploadForm } from './schema.ts';

export { expiresAfter } from './schema.ts';

/** Files for batches go by themselves, as OpenAI has it; all others stay. */
const batchFileMs = 30 * 24 * 3_600_000;
const defaultLimit = 10_000;
/** Around the bytes of a file, in a form that is not meant to be in the way. */
const formOverheadBytes = 64 * 1_024;
/** The connection is kept for so much more of a form that was refused. */
const maxDroppedBytes = 64 * 1_024 ** 2;

const notFound = { 404: jsonAnswer(openaiError, 'There is no such file of this key') };
const noRoom = { 507: jsonAnswer(openaiError, 'All files together are too large, or the disk is full') };

/** `/files`: what clients send for later, and what is made for them. Each key sees its own. */
export async function addFileRoutes(instance: FastifyInstance, deps: RouteDeps, tags: string[]): Promise<void> {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  await instance.register(async (scope) => addUploadRoute(scope, deps, tags));

  app.get('/files', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List files',
      tags,
      querystring: fileListQuery,
      response: { 200: jsonAnswer(fileListAnswer, 'A page of files'), ...errorAnswers(openaiError) },
    },
    handler: async (request) => {
      const { purpose = null, limit = defaultLimit, order = 'desc', after = null } = request.query;
      const page = { purpose, limit, order, after };
      const { files, hasMore } = await deps.files.list(request.principal.id, page);
      const data = files.map(toAnswer);
      return {
        object: 'list' as const,
        data,
        first_id: data[0]?.id ?? null,
        last_id: data.at(-1)?.id ?? null,
        has_more: hasMore,
      };
    },
  });

  app.get('/files/:file', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show a file',
      tags,
      params: filePath,
      response: { 200: jsonAnswer(fileAnswer, 'What is known of it'), ...errorAnswers(openaiError), ...notFound },
    },
    handler: async (request) => toAnswer(await findFile(deps, request.principal.id, request.params.file)),
  });

  app.get('/files/:file/content', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Fetch the bytes of a file',
      description: 'Whole, or one part by `Range`.',
      tags,
      params: filePath,
      response: {
        200: bytesAnswer('The bytes'),
        206: bytesAnswer('A part of them'),
        ...errorAnswers(openaiError),
        ...notFound,
      },
    },
    handler: async (request, reply) => {
      const file = await findFile(deps, request.principal.id, request.params.file);
      return sendBytes(deps, request, reply, file);
    },
  });

  app.delete('/files/:file', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Delete a file',
      tags,
      params: filePath,
      response: { 200: jsonAnswer(deletedFile, 'It is gone'), ...errorAnswers(openaiError), ...notFound },
    },
    handler: async (request) => {
      const { file: id } = request.params;
      if (!(await deps.files.remove(request.principal.id, id))) throw unknownFile(id);
      return { id, object: 'file' as const, deleted: true as const };
    },
  });
}

/** A file of this owner. Throws `not_found`, which names `field` where it is given. */
export async function findFile(
  deps: Pick<RouteDeps, 'files'>,
  owner: string,
  id: string,
  field?: string,
): Promise<StoredFile> {
  const file = storedFileId.test(id) ? await deps.files.get(owner, id) : null;
  if (file === null) throw unknownFile(id, field);
  return file;
}

function unknownFile(id: string, field?: string): AppError {
  const shown = storedFileId.test(id) ? `There is no file "${id}", or it has expired.` : 'There is no such file.';
  return new AppError('not_found', shown, { ...(field !== undefined && { field }) });
}

function toAnswer({ id, sizeBytes, createdAt, expiresAt, name, purpose }: StoredFile) {
  return {
    id,
    object: 'file' as const,
    bytes: sizeBytes,
    created_at: toSeconds(createdAt),
    ...(expiresAt && { expires_at: toSeconds(expiresAt) }),
    filename: name,
    purpose,
    status: 'processed' as const,
  };
}

const toSeconds = (time: Date) => Math.floor(time.getTime() / 1_000);

function bytesAnswer(description: string) {
  const schema = z.string().meta({ format: 'binary' });
  return { description, content: { 'application/octet-stream': { schema } } };
}

/** Bytes of a client are never a page of this server: they are saved, not shown. */
function sendBytes(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply, file: StoredFile): FastifyReply {
  const { sizeBytes, name } = file;
  const range = rangeOf(request.headers.range, sizeBytes);
  const { first, last } = range ?? { first: 0, last: sizeBytes - 1 };
  reply.code(range ? 206 : 200).headers({
    'content-type': 'application/octet-stream',
    'content-length': last - first + 1,
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, percentEncoded)}`,
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    ...(range && { 'content-range': `bytes ${first}-${last}/${sizeBytes}` }),
  });
  // Its bytes are no text of the schema.
  return reply.send(Readable.from(deps.files.read(file, { first, last })) as never);
}

const percentEncoded = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;

async function addUploadRoute(scope: FastifyInstance, deps: RouteDeps, tags: string[]): Promise<void> {
  scope.removeAllContentTypeParsers();
  await scope.register(multipart);
  scope.addContentTypeParser('*', (_request, _payload, done) => done(notForm()));

  scope.withTypeProvider<FastifyZodOpenApiTypeProvider>().post('/files', {
    config: { scope: 'inference', receivesSlowly: true },
    // A form is read as it comes, by `readUpload`, which says what is wrong with it.
    validatorCompiler: () => (value) => ({ value }),
    schema: {
      summary: 'Send a file',
      description: 'A form with one file. Its fields may stand before or behind it.',
      tags,
      body: { content: { 'multipart/form-data': { schema: uploadForm } } },
      response: {
        200: jsonAnswer(fileAnswer, 'It is kept'),
        ...bodyErrorAnswers(openaiError),
        415: jsonAnswer(openaiError, 'The body is no form'),
        503: jsonAnswer(openaiError, 'Not now: shutting down; see Retry-After'),
        ...noRoom,
      },
    },
    // Before the body is looked at.
    onRequest: async ({ headers }) => {
      if (deps.lifecycle.draining()) throw shuttingDown();
      if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
        throw new AppError('unsupported_media_type', 'A form is not read compressed.', {
          fix: 'Leave Content-Encoding out.',
        });
      }
    },
    handler: (request, reply) => takeUpload(deps, request, reply),
  });
}

async function takeUpload(deps: RouteDeps, request: FastifyRequest, reply: FastifyReply) {
  const { files } = deps;
  if (!request.isMultipart()) throw notForm();
  const announced = Number(request.headers['content-length'] ?? Number.NaN);
  if (announced > files.maxFileBytes + formOverheadBytes) {
    throw new AppError('payload_too_large', 'The file is larger than this server accepts.', {
      field: 'file',
      fix: `Send at most ${files.maxFileBytes} bytes, or have files.max_size raised.`,
    });
  }
  const upload = await readUpload(request, files).catch((error: unknown) => {
    dropRest(request, reply, announced);
    throw error;
  });
  const { received, name, purpose, expiresAfterMs, ignored } = upload;
  const file = await received.keep({
    owner: request.principal.id,
    name,
    purpose,
    expiresAfterMs: expiresAfterMs ?? (purpose === 'batch' ? batchFileMs : null),
  });
  addIgnored(reply, ignored);
  return toAnswer(file);
}

/** Many clients see the answer to a form only when they have sent it whole; one that is very long is cut off. */
function dropRest(request: FastifyRequest, reply: FastifyReply, announcedBytes: number): void {
  if (announcedBytes <= maxDroppedBytes) request.raw.resume();
  else reply.header('connection', 'close');
}

function notForm(): AppError {
  return new AppError('unsupported_media_type', 'The body must be a form with a file.', {
    fix: 'Send multipart/form-data.',
  });
}
