import { AppError, type ErrorCode, type UpstreamFailure } from '../../core/errors.ts';

/** Where a failure happened, for its message and its form. */
export interface FailureContext {
  provider: string;
  /** What was asked. */
  modelId: string;
  /** A client that speaks Anthropic's dialect gets Claude's own words in its own envelope. */
  isRelayed: boolean;
}

/** What somebody else has answered in AWS's place: a page of a proxy, a portal, nothing. */
export class ForeignAnswer extends Error {
  readonly httpStatus: number;
  readonly text: string;

  constructor(httpStatus: number, text: string) {
    super('the answer is neither JSON nor an event stream');
    this.name = 'ForeignAnswer';
    this.httpStatus = httpStatus;
    this.text = text;
  }
}

/**
 * By the name of the exception, whose first letter is small within a stream and large outside. The status says nothing:
 * frames within a stream call a failure of the service a 400.
 */
const codes: Readonly<Record<string, ErrorCode>> = {
  throttlingexception: 'upstream_rate_limited',
  toomanyrequestsexception: 'upstream_rate_limited',
  servicequotaexceededexception: 'upstream_quota_exceeded',
  serviceunavailableexception: 'upstream_overloaded',
  modelnotreadyexception: 'upstream_overloaded',
  internalserverexception: 'upstream_unavailable',
  internalfailure: 'upstream_unavailable',
  modelstreamerrorexception: 'upstream_unavailable',
  modelerrorexception: 'upstream_unavailable',
  conflictexception: 'upstream_unavailable',
  modeltimeoutexception: 'upstream_timeout',
  // What the SDK calls so is a connection that is gone: its limits of time come long after ours.
  timeouterror: 'upstream_unavailable',
  requesttimeout: 'upstream_timeout',
  validationexception: 'upstream_refused',
  accessdeniedexception: 'upstream_access_denied',
  resourcenotfoundexception: 'upstream_access_denied',
  unrecognizedclientexception: 'upstream_access_denied',
  invalidsignatureexception: 'upstream_access_denied',
  incompletesignature: 'upstream_access_denied',
  missingauthenticationtoken: 'upstream_access_denied',
  missingauthenticationtokenexception: 'upstream_access_denied',
  expiredtoken: 'upstream_access_denied',
  expiredtokenexception: 'upstream_access_denied',
  invalidclienttokenid: 'upstream_access_denied',
  optinrequired: 'upstream_access_denied',
  credentialsprovidererror: 'upstream_access_denied',
  tokenprovidererror: 'upstream_access_denied',
};

/** The same in Anthropic's words, with the status that goes with them. */
const anthropicTypes: Partial<Record<ErrorCode, [type: string, status: number]>> = {
  upstream_refused: ['invalid_request_error', 400],
  context_length_exceeded: ['invalid_request_error', 400],
  upstream_rate_limited: ['rate_limit_error', 429],
  upstream_quota_exceeded: ['rate_limit_error', 429],
  upstream_overloaded: ['overloaded_error', 529],
  upstream_unavailable: ['api_error', 500],
  upstream_timeout: ['timeout_error', 504],
};

const tooLong =
  /(input|prompt|request) is too long|too many (input )?tokens in|exceed(s|ed)? (the )?(model'?s )?(maximum )?context|context (limit|window|length)/i;
const tokensOfADay = /too many tokens per day|daily (token )?(limit|quota)/i;
const needsProfile = /on-demand throughput isn.t supported|inference profile/i;
const unknownModel = /model identifier is invalid|end of its life|legacy and you have not/i;

/** Whatever a call of the SDK or the reading of its stream threw. */
export function toUpstreamError(thrown: unknown, context: FailureContext): AppError {
  if (thrown instanceof AppError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = codes[error.name.toLowerCase()] ?? codeOfOthers(error);
  return code === null ? broken(error, context) : named(error, refine(code, error.message), context);
}

/** A failure that AWS or the SDK named. */
function named(error: Error, code: ErrorCode, context: FailureContext): AppError {
  const { provider, modelId } = context;
  const wait = retryAfterSecondsOf(error);
  const fix = fixOf(code, error.message);
  const isOurs = code === 'upstream_access_denied';
  // What AWS says of access names accounts, users and ARNs of ours; the log has it.
  const message = isOurs ? `${provider} may not use ${modelId} now: ${error.name}.` : messageOf(error);
  return new AppError(code, message, {
    ...(wait !== null && { retryAfterSeconds: wait }),
    ...(fix !== null && { fix }),
    details: { provider, upstream_type: error.name },
    ...(!isOurs && { upstream: upstreamOf(error, code, context) }),
    cause: causeOf(error),
  });
}

/** What the SDK throws holds the request that it sent, its credentials among the headers: only words go on. */
function causeOf({ name, message, stack }: Error): Error {
  return Object.assign(new Error(message), { name, stack });
}

/** Claude's own words reach a client of its dialect as they are: agents go by them. */
function messageOf(error: Error): string {
  // What the SDK adds is for whoever programs with it.
  const message = error.message.replace(/\s*Deserialization error: to see the raw response[\s\S]*$/, '');
  return message.replace(/^The model returned the following errors:\s*/i, '') || error.name;
}

function upstreamOf(error: Error, code: ErrorCode, { provider, isRelayed }: FailureContext): UpstreamFailure {
  const message = messageOf(error);
  const native = isRelayed ? anthropicTypes[code] : undefined;
  const requestId = metadataOf(error).requestId ?? null;
  const headers = requestId === null ? {} : { 'request-id': requestId };
  if (!native) {
    const body = { __type: error.name, message };
    return { provider, dialect: 'bedrock', status: metadataOf(error).httpStatusCode ?? 400, headers, body };
  }
  const [type, status] = native;
  const body = { type: 'error', error: { type, message }, request_id: requestId };
  return { provider, dialect: 'anthropic', status, headers, body };
}

/** Validation has one name for what the client, the configuration and the length of a prompt did. */
function refine(code: ErrorCode, message: string): ErrorCode {
  if (code === 'upstream_rate_limited' && tokensOfADay.test(message)) return 'upstream_quota_exceeded';
  if (code !== 'upstream_refused') return code;
  if (needsProfile.test(message) || unknownModel.test(message)) return 'upstream_access_denied';
  return tooLong.test(message) ? 'context_length_exceeded' : code;
}

function fixOf(code: ErrorCode, message: string): string | null {
  if (code !== 'upstream_access_denied') return null;
  if (needsProfile.test(message)) {
    return 'Configure the model by the id of an inference profile, such as "eu.anthropic.…" or "global.anthropic.…".';
  }
  return /^region is missing/i.test(message) ? 'Set "region" of the provider, or AWS_REGION.' : null;
}

/** A failure that has no name in the table: by its status if AWS answered, by its system's code if nobody did. */
function codeOfOthers(error: Error): ErrorCode | null {
  if (/^region is missing|resolve credentials|load credentials/i.test(error.message)) return 'upstream_access_denied';
  const { httpStatusCode: status } = metadataOf(error);
  // What is no JSON was not said by AWS, whatever its status.
  if (status === undefined || error instanceof SyntaxError || error.name === 'SyntaxError') return null;
  if (status === 429) return 'upstream_rate_limited';
  if (status === 401 || status === 403 || status === 404) return 'upstream_access_denied';
  if (status === 503) return 'upstream_overloaded';
  if (status === 504 || status === 408) return 'upstream_timeout';
  return status >= 400 && status < 500 ? 'upstream_refused' : 'upstream_unavailable';
}

/** Nobody that we know has answered: no connection, a page of a proxy, bytes that are no answer. */
function broken(error: Error, { provider }: FailureContext): AppError {
  const code = (error as NodeJS.ErrnoException).code;
  const what =
    error instanceof ForeignAnswer
      ? `did not answer itself: status ${error.httpStatus} with ${excerptOf(error.text)}`
      : `cannot be understood or reached${code ? ` (${code})` : ''}`;
  return new AppError('upstream_unavailable', `${provider} ${what}.`, { details: { provider }, cause: causeOf(error) });
}

function excerptOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line === '' ? 'an empty body' : `"${line.slice(0, 200)}"`;
}

function metadataOf(error: Error): { httpStatusCode?: number; requestId?: string } {
  return (error as { $metadata?: { httpStatusCode?: number; requestId?: string } }).$metadata ?? {};
}

function retryAfterSecondsOf(error: Error): number | null {
  const { $response } = error as { $response?: { headers?: Record<string, string> } };
  const seconds = Number.parseFloat($response?.headers?.['retry-after'] ?? '');
  return seconds >= 0 ? seconds : null;
}
