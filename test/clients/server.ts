import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type RunningServer, startServer } from '../support/server.ts';

/** Folder with all-MiniLM, for tests of vectors; undefined: they skip themselves. */
export const realModels = process.env['HEARTH_TEST_MODELS'];
export const embedder = 'all-minilm-l6-v2';
/** As the built-in model is called. */
export const model = 'hearth-guide-3m';

/** A tool that a forced call fills in, and what comes back of it. */
export const weather = {
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string', enum: ['Bern', 'Oslo'] } },
    required: ['city'],
    additionalProperties: false,
  },
} as const;

/** The schema of a structured answer. */
export const light = {
  type: 'object',
  properties: { room: { type: 'string', enum: ['kitchen', 'hall'] }, on: { type: 'boolean' } },
  required: ['room', 'on'],
  additionalProperties: false,
} as const;

/** Starts the server for the tests of a file; its base URL once they run. */
export function useServer(): () => string {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer(realModels === undefined ? {} : { models: join(realModels) });
  });
  afterAll(async () => {
    await server?.stop();
  });
  return () => server.baseUrl;
}
