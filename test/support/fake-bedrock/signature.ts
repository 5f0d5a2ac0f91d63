import { createHash, createHmac } from 'node:crypto';

/** What the fake knows of who may ask. */
export interface FakeCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  bearerKey: string;
}

/** A request as it was received. */
export interface ReceivedRequest {
  method: string;
  /** Path and query, as on the wire. */
  url: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();

/**
 * Why a request may not pass; null: it may. Signature Version 4 as AWS documents it, written anew: every service but S3
 * encodes the path twice.
 */
export function refusalOf(request: ReceivedRequest, known: FakeCredentials): string | null {
  const authorization = request.headers['authorization'] ?? '';
  if (authorization.startsWith('Bearer ')) {
    return authorization === `Bearer ${known.bearerKey}` ? null : 'UnrecognizedClientException';
  }
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      authorization,
    );
  if (!match) return 'MissingAuthenticationTokenException';
  const [, keyId, day, region, service, signedHeaders, signature] = match;
  if (keyId !== known.accessKeyId) return 'UnrecognizedClientException';
  if (region !== known.region || service !== 'bedrock') return 'InvalidSignatureException';
  const names = signedHeaders!.split(';');
  // Over HTTP/2 the host has another name.
  const hasHost = names.includes('host') || names.includes(':authority');
  if (!hasHost || !names.includes('x-amz-date')) return 'InvalidSignatureException';
  const [path, query = ''] = request.url.split('?');
  const canonical = [
    request.method,
    path!.split('/').map(encodeURIComponent).join('/'),
    query,
    ...names.map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders,
    sha256(request.body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const key = [region!, service!, 'aws4_request'].reduce(
    (sofar, part) => hmac(sofar, part),
    hmac(`AWS4${known.secretAccessKey}`, day!),
  );
  return hmac(key, toSign).toString('hex') === signature ? null : 'InvalidSignatureException';
}
