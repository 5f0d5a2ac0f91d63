import { z } from 'zod';

/** Who says whether a provider is on. */
export const enabledBy = z
  .enum(['configuration', 'request'])
  .meta({ description: '`request`: it was switched by hand, against the configuration.' });
