import { invalidAnswer, lengthError } from './hub-errors.ts';
import type { HubFile } from './hub-file.ts';
import type { HubHttp, HubResponse } from './hub-http.ts';

/** The part of a file that a response carries. */
export interface FileResponse {
  response: HubResponse;
  /** First byte of the file that comes; 0 when the server does not know ranges. */
  startBytes: number;
  /** Identity of the file at the hub; null when it gives none. */
  etag: string | null;
}

/**
 * Asks for the bytes of a file from `startBytes` on, up to `endBytes` (not included). Refuses, with
 * `hub_answer_invalid`, a web page, another length than the listing gave and another file than the listing meant.
 */
export async function getFileBytes(
  http: HubHttp,
  url: URL,
  file: HubFile,
  range: { startBytes: number; endBytes: number },
  signal: AbortSignal,
): Promise<FileResponse> {
  const response = await http.get(url, {
    headers: { range: `bytes=${range.startBytes}-${range.endBytes - 1}` },
    signal,
  });
  try {
    return checkFileResponse(response, file, range);
  } catch (error) {
    response.close();
    throw error;
  }
}

function checkFileResponse(
  response: HubResponse,
  file: HubFile,
  range: { startBytes: number; endBytes: number },
): FileResponse {
  const { headers, hubHeaders, status } = response;
  if (/^text\/html\b/i.test(headers['content-type'] ?? '')) {
    throw invalidAnswer('html', 'The hub sent a web page instead of the file.');
  }
  const linkedSize = headerText(hubHeaders['x-linked-size']);
  if (linkedSize !== null && Number(linkedSize) !== file.sizeBytes) {
    throw lengthError(file.sizeBytes, Number(linkedSize));
  }
  const etag = plainEtag(headerText(hubHeaders['x-linked-etag']) ?? hubHeaders.etag ?? null);
  // For large files the hub's etag is the checksum: another one is another file.
  if (etag !== null && file.hash.algorithm === 'sha256' && /^[0-9a-f]{64}$/.test(etag) && etag !== file.hash.digest) {
    throw invalidAnswer('changed', 'The hub now has another file under this name.');
  }
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length']);
  if (status === 200) {
    if (length !== null && length !== file.sizeBytes) throw lengthError(file.sizeBytes, length);
    return { response, startBytes: 0, etag };
  }
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(headers['content-range'] ?? '');
  if (!match || Number(match[1]) !== range.startBytes) {
    throw invalidAnswer('bad_range', 'The hub sent another part of the file than was asked for.');
  }
  if (match[3] !== '*' && Number(match[3]) !== file.sizeBytes) throw lengthError(file.sizeBytes, Number(match[3]));
  if (length !== null && length !== Number(match[2]) - Number(match[1]) + 1) {
    throw invalidAnswer('bad_length', 'The hub contradicts itself about the length of what it sends.');
  }
  return { response, startBytes: range.startBytes, etag };
}

function headerText(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

/** Without the quotes and the mark of weakness. */
function plainEtag(etag: string | null): string | null {
  return etag === null ? null : etag.replace(/^W\//, '').replace(/^"(.*)"$/, '$1');
}
