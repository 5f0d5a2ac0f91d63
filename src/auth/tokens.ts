import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { JwtConfig } from '../config/providers.ts';
import type { KeyRights, Scope } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';

/** What a token that was checked says. */
export interface TokenHolder {
  issuer: string;
  subject: string;
  endsAt: Date;
  rights: KeyRights;
}

/** Checks signed tokens (JWT) of the configured issuer. */
export interface Tokens {
  /**
   * Throws `unauthorized` for a token that is not good, without saying more of it than that it has expired, and
   * `upstream_unavailable` while the keys of the issuer cannot be had.
   */
  check(token: string, config: JwtConfig): Promise<TokenHolder>;
}

/** Of clocks that do not agree. */
const toleranceSeconds = 30;
const longestToken = 16_384;

/** Whether a text has the form of a signed token. */
export function isToken(text: string): boolean {
  return /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

/** The keys of an issuer are fetched when the first token comes, kept, and fetched again for one that is signed by another. */
export function createTokens(clock: Pick<Clock, 'now'>): Tokens {
  let known: { keys: JwtConfig['keys']; get: JWTVerifyGetKey } | null = null;

  const keysOf = async ({ keys }: JwtConfig): Promise<JWTVerifyGetKey> => {
    if (known?.keys === keys) return known.get;
    const { createLocalJWKSet, createRemoteJWKSet } = await import('jose');
    const get: JWTVerifyGetKey =
      'url' in keys
        ? createRemoteJWKSet(new URL(keys.url), { timeoutDuration: 5_000, cooldownDuration: 30_000 })
        : createLocalJWKSet(JSON.parse(keys.jwks));
    known = { keys, get };
    return get;
  };

  return {
    async check(token, config) {
      if (token.length > longestToken) throw notGood();
      const { jwtVerify, errors } = await import('jose');
      try {
        const { payload } = await jwtVerify(token, await keysOf(config), {
          issuer: config.issuer,
          audience: [...config.audiences],
          algorithms: [...config.algorithms],
          requiredClaims: ['exp', 'sub'],
          clockTolerance: toleranceSeconds,
          currentDate: clock.now(),
        });
        if (typeof payload.sub !== 'string' || payload.sub === '') throw notGood();
        return {
          issuer: config.issuer,
          subject: payload.sub,
          endsAt: new Date((payload.exp ?? 0) * 1_000),
          rights: { ...config, scopes: scopesOf(payload, config) },
        };
      } catch (error) {
        if (error instanceof AppError) throw error;
        if (error instanceof errors.JWTExpired) throw new AppError('unauthorized', 'The token has expired.');
        // Of a set that was fetched, what is wrong with it is not the client's; a key that it lacks is.
        const isOurs =
          !(error instanceof errors.JOSEError) ||
          error instanceof errors.JWKSTimeout ||
          error instanceof errors.JWKSInvalid ||
          error.code === 'ERR_JOSE_GENERIC';
        if (!isOurs) throw notGood(error);
        throw new AppError(
          'upstream_unavailable',
          'The keys that tokens are signed with cannot be had at the moment.',
          {
            retryAfterSeconds: 30,
            cause: error,
          },
        );
      }
    },
  };
}

function notGood(cause?: unknown): AppError {
  return new AppError('unauthorized', 'The token is not valid.', cause === undefined ? {} : { cause });
}

/** Of what `scope` (or `scp`) says those that are ours, also as `hearth:admin`; where it says none of them, those of the configuration. */
function scopesOf(payload: JWTPayload, { scopes }: JwtConfig): readonly Scope[] {
  const said = [payload['scope'] ?? payload['scp'] ?? []].flat().flatMap((text) => String(text).split(' '));
  const ours = (['inference', 'admin'] as const).filter(
    (scope) => said.includes(scope) || said.includes(`hearth:${scope}`),
  );
  return ours.length > 0 ? ours : scopes;
}
