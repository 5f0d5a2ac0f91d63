import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { noWish } from '../../../core/call.ts';
import { AppError, toAppError } from '../../../core/errors.ts';
import type { StoredFile } from '../../../core/stored-files.ts';
import type { NewItem } from '../../../jobs/jobs.ts';
import { linesOf } from '../../../wire/lines.ts';
import { mayBeModel } from '../../fields/model-name.ts';
import { itemBody, prefixOf } from '../../inner/inner.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { cloudOf, cloudOfBoth } from '../../plugins/routing.ts';
import { findModel } from '../models/models.ts';
import { endpoints, refuseStream } from './endpoints.ts';
import { type LineError, type LineRequest, readLine } from './requests.ts';

/** As many as OpenAI takes. */
const [mostRequests, mostEmbeddingInputs] = [50_000, 50_000];
/** More than these nobody reads; the first tell what is wrong with the others. */
const mostErrors = 100;
/** Around the body of a request. */
const lineOverheadBytes = 16 * 1_024;
/** So many lines are looked at before others have their turn. */
const linesPerTurn = 25;

/** The requests of a file, each looked at by itself. */
export interface BatchInput {
  /** What is wrong with its lines; empty: nothing is. */
  errors: LineError[];
  /** The requests, read from the file again: a large one is never held whole. */
  items(): AsyncIterable<NewItem>;
}

type InputDeps = Pick<RouteDeps, 'files' | 'config' | 'gateway' | 'routing' | 'clock' | 'engine'>;

/** Looks at every line of a file before any is taken. */
export async function readInput(
  deps: InputDeps,
  request: FastifyRequest,
  { file, endpoint }: { file: StoredFile; endpoint: string },
): Promise<BatchInput> {
  const errors: LineError[] = [];
  const models = new Map<string, number>();
  let inputs = 0;
  let total = 0;
  for await (const { line, read } of requestsOf(deps, request, { file, endpoint })) {
    if (errors.length === mostErrors) break;
    if (!('customId' in read)) {
      errors.push(read);
      continue;
    }
    total++;
    inputs += endpoint === '/v1/embeddings' ? countInputs(read.body) : 0;
    const model = modelOf(read.body);
    if (!models.has(model)) models.set(model, line);
    if (total > mostRequests || inputs > mostEmbeddingInputs) {
      errors.push(tooMany(line, total > mostRequests ? `${mostRequests} requests` : `${mostEmbeddingInputs} inputs`));
      break;
    }
  }
  if (total === 0 && errors.length === 0) {
    errors.push({ code: 'empty_file', line: null, message: 'The input file holds no request.', param: null });
  }
  if (errors.length === 0) errors.push(...(await unknownModels(deps, request, models)));
  return {
    errors,
    items: () => itemsOf(deps, request, { file, endpoint }),
  };
}

/** What stands in each line, or what is wrong with it. */
async function* requestsOf(deps: InputDeps, request: FastifyRequest, of: { file: StoredFile; endpoint: string }) {
  const { endpoint, file } = of;
  const { bodyLimitBytes: mostBytes } = deps.config.server;
  const rules = endpoints[endpoint]!;
  const known = new Map<string, number>();
  const check = (body: Record<string, unknown>) => {
    itemBody(body, { mostBytes });
    refuseStream(body);
    // Only looked at: a body keeps it, and its route reads it.
    const { cloud: wished, ...rest } = body;
    const cloud = cloudOfBoth(request.wish.routing.cloud, cloudOf(wished, 'cloud'));
    if (!rules.mayRelay || !mayRelay(deps, request, { endpoint, body, cloud })) rules.check(rest);
  };
  let count = 0;
  for await (const line of linesOf(deps.files.read(file), mostBytes + lineOverheadBytes)) {
    yield { line: line.number, read: readLine(line, { endpoint, known, check }) };
    if (++count % linesPerTurn === 0) await nextTurn();
  }
}

async function* itemsOf(
  deps: InputDeps,
  request: FastifyRequest,
  of: { file: StoredFile; endpoint: string },
): AsyncGenerator<NewItem> {
  const { partsOf, defaults } = endpoints[of.endpoint]!;
  const { bodyLimitBytes: mostBytes } = deps.config.server;
  for await (const { read } of requestsOf(deps, request, of)) {
    if (!('customId' in read)) throw new Error('a line that was in order is so no more');
    const { customId, body } = read;
    yield {
      customId,
      model: modelOf(body),
      body: itemBody({ ...defaults, ...body }, { mostBytes: mostBytes + lineOverheadBytes }),
      prefix: prefixOf(...partsOf(body)),
      cloud: cloudOf(body['cloud'], 'cloud'),
    };
  }
}

/** Whether somebody may be asked who takes the request as it is, and may know more of it than we do. */
function mayRelay(
  deps: InputDeps,
  { wish, principal }: FastifyRequest,
  asked: { endpoint: string; body: LineRequest['body']; cloud: ReturnType<typeof cloudOf> },
): boolean {
  if (!mayBeModel(asked.body['model'])) return false;
  const routing = { ...wish.routing, cloud: asked.cloud };
  const original = { dialect: 'openai' as const, path: asked.endpoint };
  return deps.gateway.mayRelay(original, modelOf(asked.body), { routing, config: deps.routing(), principal });
}

/** Models that nobody has, each told where it is first asked for: the morning is late to hear that a name was mistyped. */
async function unknownModels(
  deps: InputDeps,
  request: FastifyRequest,
  models: ReadonlyMap<string, number>,
): Promise<LineError[]> {
  // Whom a request is sent to by name has models that we need not know.
  if (JSON.stringify(request.wish.routing) !== JSON.stringify(noWish)) return [];
  const errors: LineError[] = [];
  for (const [model, line] of models) {
    const problem = await findModel(deps, request, model, request.signal).then(
      () => null,
      (error: unknown) => toAppError(error),
    );
    if (problem === null || problem.status >= 500) continue;
    errors.push({ code: problem.code, line, message: problem.message, param: 'body.model' });
  }
  return errors;
}

function modelOf({ model }: Readonly<Record<string, unknown>>): string {
  return typeof model === 'string' && model !== '' ? model : 'default';
}

function countInputs({ input }: Readonly<Record<string, unknown>>): number {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1;
}

function tooMany(line: number, most: string): LineError {
  return { code: 'too_many_tasks', line, message: `A batch may have ${most}.`, param: null };
}

/** A file that a batch is to be made of. Throws `invalid_request` for one of another purpose. */
export function assertForBatch(file: StoredFile): void {
  if (file.purpose === 'batch') return;
  throw new AppError('invalid_request', `The file "${file.id}" is for "${file.purpose}".`, {
    field: 'input_file_id',
    fix: 'Send it with the purpose "batch".',
  });
}
