import { AppError, toAppError } from '../../../core/errors.ts';
import type { FileLine } from '../../../wire/lines.ts';
import { decodeUtf8, parseJsonObject } from '../../fields/json.ts';

/** What is wrong with a line of an input file, as OpenAI tells it in `errors.data` of a batch. */
export interface LineError {
  code: string;
  line: number | null;
  message: string;
  param: string | null;
}

/** A request of an input file. */
export interface LineRequest {
  customId: string;
  body: Record<string, unknown>;
}

const maxIdLength = 512;

/** Where a line is not as it has to be; a code of OpenAI, or of our catalogue. */
class LineFault extends Error {
  readonly fault: LineError;

  constructor(fault: LineError) {
    super(fault.message);
    this.fault = fault;
  }
}

/**
 * Reads a line: its id, which none of `known` may have, its method and address, and its body, which `check` looks at as its
 * route would. Returns what is wrong with it instead. `known`: ids and their lines; the one of this line is added.
 */
export function readLine(
  { number: line, bytes }: FileLine,
  rules: { endpoint: string; known: Map<string, number>; check(body: Record<string, unknown>): void },
): LineRequest | LineError {
  try {
    const fault = (code: string, message: string, param: string | null = null) =>
      new LineFault({ code, line, message, param });
    if (bytes === null) throw fault('payload_too_large', 'This line is longer than one request may be.');
    const given = parseLine(bytes, fault);
    const customId = idOf(given['custom_id'], rules.known, fault);
    rules.known.set(customId, line);
    if (given['method'] !== 'POST') throw fault('invalid_method', '"method" must be POST.', 'method');
    if (given['url'] !== rules.endpoint) {
      throw fault('url_mismatch', `"url" must be the endpoint of the batch, ${rules.endpoint}.`, 'url');
    }
    const body = given['body'];
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw fault('missing_required_parameter', '"body" is required: a JSON object.', 'body');
    }
    checkBody(body as Record<string, unknown>, rules.check, fault);
    return { customId, body: body as Record<string, unknown> };
  } catch (error) {
    if (error instanceof LineFault) return error.fault;
    throw error;
  }
}

type Fault = (code: string, message: string, param?: string | null) => LineFault;

function parseLine(bytes: Uint8Array, fault: Fault): Record<string, unknown> {
  try {
    return parseJsonObject(decodeUtf8(bytes));
  } catch (error) {
    const { message, field } = toAppError(error);
    throw fault('invalid_json_line', message.replace('The body', 'This line'), field);
  }
}

function idOf(given: unknown, known: ReadonlyMap<string, number>, fault: Fault): string {
  const param = 'custom_id';
  if (given === undefined || given === null) {
    throw fault('missing_required_parameter', `"${param}" is required.`, param);
  }
  if (typeof given !== 'string' || given === '' || given.length > maxIdLength || given.includes('\0')) {
    throw fault('invalid_custom_id', `"${param}" must be a text of 1 to ${maxIdLength} characters.`, param);
  }
  const line = known.get(given);
  if (line === undefined) return given;
  throw fault('duplicate_custom_id', `"${param}" is that of line ${line}; each must be there once.`, param);
}

function checkBody(body: Record<string, unknown>, check: (body: Record<string, unknown>) => void, fault: Fault): void {
  try {
    check(body);
  } catch (error) {
    // A fault of ours is none of the line's.
    if (!(error instanceof AppError) || error.status >= 500) throw error;
    const { code, message, field, fix } = error;
    throw fault(code, fix === null ? message : `${message} ${fix}`, field === null ? 'body' : `body.${field}`);
  }
}
