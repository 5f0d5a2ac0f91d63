import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { AppError, toAppError } from '../../../core/errors.ts';
import { toPrintable } from '../../../core/printable.ts';
import type { ReceivedFile, StoredFiles } from '../../../core/stored-files.ts';
import { maxExpirySeconds, minExpirySeconds, uploadPurposes } from './schema.ts';

/** What a form says of its file. */
export interface UploadedFile {
  received: ReceivedFile;
  name: string;
  purpose: (typeof uploadPurposes)[number];
  /** Null: the form does not say. */
  expiresAfterMs: number | null;
  /** Fields that mean nothing here. */
  ignored: string[];
}

const [maxParts, maxFieldBytes, maxNameLength] = [16, 1_024, 255];
const known = ['purpose', 'expires_after[anchor]', 'expires_after[seconds]'];

/** Purposes of OpenAI for which nothing is here that would read the file; the client is told now and not by its next request. */
const withoutUse: Readonly<Record<string, string>> = {
  assistants: 'there are no assistants and vector stores here',
  'fine-tune': 'no model is trained here',
  evals: 'there are no evals here',
};

/**
 * Reads a form with one file, whose bytes go to where files are kept as they come: the fields may stand behind it. Where
 * anything is wrong with the form, nothing is kept of it.
 */
export async function readUpload(request: FastifyRequest, files: Pick<StoredFiles, 'receive'>): Promise<UploadedFile> {
  const fields = new Map<string, string>();
  let file: { received: ReceivedFile; name: string } | null = null;
  try {
    const limits = { parts: maxParts, files: 1, fieldSize: maxFieldBytes, fileSize: Number.POSITIVE_INFINITY };
    for await (const part of request.parts({ limits })) {
      if (part.type === 'file') file = await takeFile(part, files);
      else fields.set(part.fieldname, textOf(part));
    }
    if (file === null) throw noFile(fields.has('file'));
    return {
      ...file,
      purpose: purposeOf(fields),
      expiresAfterMs: expiryOf(fields),
      ignored: [...fields.keys()].filter((name) => !known.includes(name)),
    };
  } catch (error) {
    await file?.received.discard();
    throw formError(error);
  }
}

async function takeFile(part: MultipartFile, files: Pick<StoredFiles, 'receive'>) {
  const { fieldname, filename, file } = part;
  if (fieldname !== 'file') {
    file.resume();
    throw new AppError('invalid_request', `The file is in the field "${toPrintable(fieldname)}".`, {
      field: toPrintable(fieldname),
      fix: 'Send it in the field "file".',
    });
  }
  const name = toPrintable((filename || 'file').toWellFormed()).slice(0, maxNameLength);
  return { received: await files.receive(file), name };
}

function textOf({ fieldname, value, valueTruncated }: { fieldname: string; value: unknown; valueTruncated: boolean }) {
  if (typeof value === 'string' && !valueTruncated) return value;
  const field = toPrintable(fieldname);
  throw new AppError('invalid_request', `"${field}" is not a text of at most ${maxFieldBytes} bytes.`, { field });
}

function noFile(isField: boolean): AppError {
  return isField
    ? new AppError('invalid_request', '"file" is a text and no file.', {
        field: 'file',
        fix: 'Send it with a file name: filename="requests.jsonl".',
      })
    : new AppError('invalid_request', '"file" is required.', { field: 'file' });
}

function purposeOf(fields: ReadonlyMap<string, string>): UploadedFile['purpose'] {
  const given = fields.get('purpose');
  if (given === undefined) throw new AppError('invalid_request', '"purpose" is required.', { field: 'purpose' });
  const purpose = uploadPurposes.find((known) => known === given);
  if (purpose !== undefined) return purpose;
  const reason = Object.hasOwn(withoutUse, given) ? withoutUse[given] : 'it is none that a client may give';
  throw new AppError('invalid_request', `"purpose" is not possible here: ${reason}.`, {
    field: 'purpose',
    fix: `Use one of ${uploadPurposes.join(', ')}.`,
  });
}

/** In milliseconds. */
function expiryOf(fields: ReadonlyMap<string, string>): number | null {
  const [anchorField, secondsField] = ['expires_after[anchor]', 'expires_after[seconds]'];
  const [anchor, seconds] = [fields.get(anchorField), fields.get(secondsField)];
  if (anchor === undefined && seconds === undefined) return null;
  if (anchor !== 'created_at') {
    throw new AppError('invalid_request', `"${anchorField}" must be created_at.`, { field: anchorField });
  }
  const given = /^\d{1,7}$/.test(seconds ?? '') ? Number(seconds) : Number.NaN;
  if (given >= minExpirySeconds && given <= maxExpirySeconds) return given * 1_000;
  throw new AppError(
    'invalid_request',
    `"${secondsField}" must be a whole number from ${minExpirySeconds} (an hour) to ${maxExpirySeconds} (30 days).`,
    { field: secondsField },
  );
}

const limitCodes = ['FST_PARTS_LIMIT', 'FST_FILES_LIMIT', 'FST_FIELDS_LIMIT'];

/** What the parser of forms complains of is the client's; what was said in our words stays. */
function formError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // A fault of the server has no business here as a mistake of the client: the parser's errors are known by these.
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (limitCodes.includes(String(code))) {
    return new AppError('invalid_request', `A form has one file and at most ${maxParts} parts.`, { field: 'file' });
  }
  const isOfParser =
    String(code).startsWith('FST_') || /multipart|boundary|part (header|terminated)|malformed/i.test(String(message));
  return isOfParser
    ? new AppError('invalid_request', 'The form is not valid, or does not end where it should.', {
        fix: 'Send multipart/form-data with its closing boundary.',
        cause: error,
      })
    : toAppError(error);
}
