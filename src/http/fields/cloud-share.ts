import { z } from 'zod';
import { toUsd } from '../../core/money.ts';
import type { AwayShare } from '../../jobs/jobs.ts';
import { count } from './answer-values.ts';

/** What of a batch is at providers. */
export const cloudShare = z
  .object({
    requests: count,
    most_usd: z
      .number()
      .nullable()
      .meta({ description: 'The most that they may cost, which is reserved; null: nobody knows.' }),
  })
  .meta({ description: 'Those that are in batches of providers now. Left out: none are.' });

export function toCloudShare({ items, mostNanoUsd }: AwayShare): z.infer<typeof cloudShare> {
  return { requests: items, most_usd: mostNanoUsd === null ? null : toUsd(mostNanoUsd) };
}
