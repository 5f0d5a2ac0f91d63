import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import type { LogFilter, LogLine } from '../../../observe/log-lines.ts';
import { logLevels } from '../../../observe/log-lines.ts';
import { clientGone, type SseItem, sendStream, sseFraming } from '../../answer/answer.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import { wholeNumber } from '../../fields/query-values.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, eventStream, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';

const mostLines = 2_000;
const usualLines = 100;

const filterQuery = z.object({
  level: z
    .enum(logLevels)
    .optional()
    .meta({ description: 'The least level. Finer lines than `log.level` are never there.' }),
  request_id: z.string().max(256).optional().meta({ description: 'Only lines of this request.' }),
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'Only lines behind the one with this `sequence`.' }),
});
const linesQuery = filterQuery.extend({
  limit: wholeNumber(1, mostLines)
    .optional()
    .meta({ description: `The newest so many; ${usualLines} where left out.` }),
});

const logLine = z
  .object({
    sequence: count.meta({ description: 'Counts up from 1 over the life of the server.' }),
    time: timestamp,
    level: z.enum(logLevels),
    message: z.string(),
    request_id: z.string().nullable(),
    fields: z.record(z.string(), z.unknown()).meta({ description: 'What else the line says.' }),
  })
  .meta({ id: 'LogLine' });

export const linesAnswer = z.object({ lines: z.array(logLine) }).meta({ id: 'LogLines' });

const about = `The last ${mostLines} lines, or 1 MiB of them, are in memory. Without keys, and prompts and answers are in none.`;

/** `/logs`: the last lines of the log, and those that come. */
export function addLogRoutes(
  instance: FastifyInstance,
  deps: Pick<RouteDeps, 'logLines' | 'clock' | 'log'>,
  mount: NativeMount,
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { logLines, clock, log } = deps;

  app.get('/logs', {
    config: { scope: 'admin' },
    schema: {
      summary: 'The last lines of the log',
      description: about,
      tags: [mount.tag],
      querystring: linesQuery,
      response: { 200: jsonAnswer(linesAnswer, 'The lines, oldest first'), ...errorAnswers(mount.errorSchema) },
    },
    handler: async ({ query: { limit = usualLines, ...filter } }) => ({
      lines: logLines.recent(toFilter(filter), limit).map(toLine),
    }),
  });

  app.get('/logs/events', {
    config: { scope: 'admin', takesTicket: true },
    exposeHeadRoute: false,
    schema: {
      summary: 'Follow the log as an event stream',
      description: `Records named "line": those that are there, then each as it is written. ${about}`,
      tags: [mount.tag],
      querystring: filterQuery,
      response: {
        200: { description: 'The stream', content: eventStream(logLine, z.literal('line')) },
        ...errorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => {
      const gone = clientGone(reply);
      const lines = logLines.follow(toFilter(request.query), gone.signal);
      const stream = sendStream(reply, toRecords(lines), { framing: sseFraming(), gone, clock, log });
      // Whoever waits for a line that is long in coming should know that it is followed.
      reply.raw.flushHeaders();
      return stream;
    },
  });
}

function toFilter({ level, request_id, after }: z.output<typeof filterQuery>): LogFilter {
  return {
    ...(level !== undefined && { level }),
    ...(request_id !== undefined && { requestId: request_id }),
    ...(after !== undefined && { afterSequence: after }),
  };
}

async function* toRecords(lines: AsyncIterable<LogLine>): AsyncGenerator<SseItem, void> {
  for await (const line of lines) yield { event: 'line', data: toLine(line) };
}

function toLine({ sequence, time, level, message, requestId, fields }: LogLine): z.input<typeof logLine> {
  return { sequence, time: time.toISOString(), level, message, request_id: requestId, fields };
}
