import { type Readable, Transform } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../../core/errors.ts';

/** A frame may ask its reader for a window of up to 128 MiB; every reader has to have 8 MiB (RFC 8878). */
const zstdWindowLog = 23;

const inflaters: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } }),
};
const accepted = 'gzip, deflate, br, zstd';

/**
 * Reads compressed bodies. What comes out counts for the limit of a body: inflating ends where that is passed, however
 * much is still to come. An unknown encoding, and one within another, is refused with the list of those that are read.
 */
export function addEncodedBody(app: FastifyInstance): void {
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (request.headers['content-encoding'] === undefined) return done(null, payload);
    const encodings = (request.headers['content-encoding'] ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== '' && name !== 'identity');
    const [encoding, ...others] = encodings;
    if (encoding === undefined) return done(null, payload);
    const create = Object.hasOwn(inflaters, encoding) ? inflaters[encoding] : undefined;
    if (create && others.length === 0) {
      return done(null, inflate(payload, create(), encoding, request.routeOptions.bodyLimit));
    }
    reply.header('accept-encoding', accepted);
    throw new AppError('unsupported_media_type', 'The body is encoded in a way that is not read here.', {
      fix: `Use one of ${accepted}, or leave Content-Encoding out.`,
    });
  });
}

/** The connection itself is left alone: the answer to a body that cannot be read goes out on it. */
function inflate(payload: Readable, inflater: Transform, encoding: string, limitBytes: number): Readable {
  let inflatedBytes = 0;
  let receivedBytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      inflatedBytes += chunk.length;
      if (inflatedBytes <= limitBytes) return done(null, chunk);
      done(new AppError('payload_too_large', 'The body is larger than this server accepts.'));
    },
  });
  const stop = (error: Error) => {
    payload.unpipe(inflater);
    // Whatever is still to come is read and dropped, as of any body that is refused.
    payload.resume();
    inflater.destroy();
    bounded.destroy(error);
  };
  payload.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.length;
  });
  payload.on('error', stop);
  inflater.on('error', (cause) => {
    stop(new AppError('invalid_request', `The body cannot be read as ${encoding}.`, { cause }));
  });
  bounded.on('error', stop);
  // Fastify compares it with Content-Length.
  Object.defineProperty(bounded, 'receivedEncodedLength', { get: () => receivedBytes });
  return payload.pipe(inflater).pipe(bounded);
}
