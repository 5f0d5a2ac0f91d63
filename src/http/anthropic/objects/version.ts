import type { FastifyRequest } from 'fastify';
import { AppError } from '../../../core/errors.ts';

const versions = ['2023-06-01', '2026-10-21'] as const;

export type ApiVersion = (typeof versions)[number];

/** The version of the API that a request is made for; the older one where it says none. Throws `invalid_request`. */
export function versionOf({ headers }: Pick<FastifyRequest, 'headers'>): ApiVersion {
  const given = headers['anthropic-version'];
  if (given === undefined) return versions[0];
  const known = versions.find((version) => version === given);
  if (known !== undefined) return known;
  throw new AppError('invalid_request', '"anthropic-version" is no version that this server knows.', {
    field: 'anthropic-version',
    fix: `Send ${versions.join(' or ')}.`,
  });
}
