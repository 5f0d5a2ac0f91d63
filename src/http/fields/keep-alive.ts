import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { longestDurationMs, parseGoDurationMs } from '../../core/parse-units.ts';

/** What `parseKeepAlive` takes as a text, said in a pattern for `/openapi.json`. */
const durationPattern =
  '^[ \\t\\r\\n]*[+-]?(?:[0-9]+(?:\\.[0-9]+)?|(?:[0-9]+(?:\\.[0-9]+)?(?:h|ms|us|µs|ns|m|s))+)[ \\t\\r\\n]*$';
const durationText = z
  .string()
  .min(1)
  .max(64)
  .meta({ override: { pattern: durationPattern } });

/** The request field: seconds, or a duration; how it is read is said at `parseKeepAlive`. */
export const keepAliveField = z.union([z.number(), durationText]).meta({
  description:
    'How long the model stays loaded after its last request: seconds, or a duration such as "5m" or "1h30m". ' +
    'Negative: for ever. 0: unload at once when idle.',
  examples: ['5m', 300, -1],
});

/**
 * Milliseconds of a keep-alive, Infinity for a negative one and for one of more than a hundred years. A bare number, also as a string, is seconds; otherwise Go's
 * duration syntax, as Ollama's clients send it.
 * Throws `invalid_request` naming `keep_alive`.
 */
export function parseKeepAlive(value: string | number): number {
  const ms = typeof value === 'number' ? value * 1_000 : parseGoDurationMs(value.trim());
  if (ms === null || Number.isNaN(ms)) {
    throw new AppError('invalid_request', `"keep_alive" is not a duration: ${JSON.stringify(value)}.`, {
      field: 'keep_alive',
      fix: 'Send seconds (300), a duration ("5m", "1h30m"), or -1 for ever.',
    });
  }
  return ms < 0 || ms > longestDurationMs ? Number.POSITIVE_INFINITY : ms;
}
