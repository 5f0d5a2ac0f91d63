import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../../core/embedding.ts';
import { AppError } from '../../core/errors.ts';
import type { ServiceRow } from './presets.ts';
import { countAt, isJson, type Json, jsonAt, listAt, textAt } from './wire.ts';

/** Asks the service for one JSON answer. `path`: under the base address. */
export type AskJson = (path: string, body: Json) => Promise<unknown>;

interface UnaryDeps {
  provider: string;
  row: ServiceRow;
  /** The service's own name. */
  model: string;
  ask: AskJson;
}

type Input = EmbeddingRequest['inputs'][number];

/** Vectors of length 1 in the order of the inputs, however many requests that takes. */
export async function embedOverWire(request: EmbeddingRequest, deps: UnaryDeps): Promise<EmbeddingResult> {
  const { row, provider } = deps;
  if (!row.endpoints.embeddings) throw unsupported('model', `${provider} has no embeddings.`);
  const vectors: number[][] = [];
  let promptTokens = 0;
  let { model } = deps;
  for (const group of groupsOf(request.inputs, deps)) {
    const answer = await deps.ask('/embeddings', {
      model: deps.model,
      input: group.map(({ input }) => input),
      encoding_format: 'float',
      ...(request.dimensions !== undefined && { dimensions: request.dimensions }),
      ...keepAliveField(request.keepAliveMs, row),
    });
    const found = vectorsIn(answer, group.length, provider);
    for (const [at, { index }] of group.entries()) vectors[index] = unit(found[at]!, request.dimensions, provider);
    const usage = jsonAt(answer, 'usage');
    promptTokens += countAt(usage, 'prompt_tokens') ?? countAt(usage, 'total_tokens') ?? 0;
    model = textAt(answer, 'model') ?? model;
  }
  return { model, vectors, promptTokens, queueMs: null };
}

/** Inputs that go together: as many as the service takes at once, texts and tokens apart. */
function groupsOf(inputs: readonly Input[], { row, provider }: UnaryDeps): { input: Input; index: number }[][] {
  const { mostInputs, takesTokens } = row.embeddings;
  const placed = inputs.map((input, index) => ({ input, index }));
  const tokens = placed.filter(({ input }) => typeof input !== 'string');
  if (tokens.length > 0 && !takesTokens) {
    throw unsupported(`inputs.${tokens[0]!.index}`, `${provider} makes vectors of texts, not of tokens.`);
  }
  const texts = placed.filter(({ input }) => typeof input === 'string');
  return [texts, tokens].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / mostInputs) }, (_, group) =>
      all.slice(group * mostInputs, (group + 1) * mostInputs),
    ),
  );
}

function vectorsIn(answer: unknown, count: number, provider: string): number[][] {
  const items = listAt(answer, 'data');
  const vectors: number[][] = [];
  for (const [place, item] of items.entries()) {
    vectors[countAt(item, 'index') ?? place] = listAt(item, 'embedding').filter((value) => typeof value === 'number');
  }
  const isWhole = items.length === count && vectors.length === count && vectors.every((vector) => vector.length > 0);
  if (!isWhole) throw broken(provider, `${items.length} vectors for ${count} inputs`);
  return vectors;
}

/** The vector of length 1 in 32-bit floats: some services cut theirs and leave them shorter. */
function unit(vector: readonly number[], dimensions: number | undefined, provider: string): number[] {
  if (dimensions !== undefined && vector.length !== dimensions) {
    throw unsupported('dimensions', `${provider} makes vectors of ${vector.length} numbers with this model.`);
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => Math.fround(length === 0 ? value : value / length));
}

/** Scores from 0 to 1 in the order of the documents. */
export async function rankOverWire(request: RankRequest, deps: UnaryDeps): Promise<RankResult> {
  const { row, provider } = deps;
  const { query, documents } = request;
  if (!row.endpoints.rerank) throw unsupported('model', `${provider} has no reranking.`);
  const answer = await deps.ask('/rerank', {
    model: deps.model,
    query,
    documents,
    top_n: documents.length,
    return_documents: false,
    ...keepAliveField(request.keepAliveMs, row),
  });
  const scores: number[] = [];
  for (const result of listAt(answer, 'results')) {
    const index = countAt(result, 'index');
    const score = isJson(result) ? (result['relevance_score'] ?? result['score']) : null;
    if (index !== null && typeof score === 'number')
      scores[index] = row.ranksByLogit ? 1 / (1 + Math.exp(-score)) : clamped(score);
  }
  if (Object.keys(scores).length !== documents.length) {
    throw broken(provider, `${Object.keys(scores).length} scores for ${documents.length} documents`);
  }
  const usage = jsonAt(answer, 'usage');
  return {
    model: textAt(answer, 'model') ?? deps.model,
    scores,
    promptTokens: countAt(usage, 'prompt_tokens') ?? countAt(usage, 'total_tokens') ?? 0,
    queueMs: null,
  };
}

function clamped(score: number): number {
  return Math.min(1, Math.max(0, score));
}

/** How long the model stays loaded, where the service takes it: seconds, -1 for ever. */
export function keepAliveField(keepAliveMs: number | undefined, { keepAlive }: ServiceRow): Json {
  if (keepAliveMs === undefined || !keepAlive) return {};
  return { keep_alive: keepAliveMs === Number.POSITIVE_INFINITY ? -1 : keepAliveMs / 1_000 };
}

export function unsupported(field: string, message: string): AppError {
  return new AppError('not_supported', message, { field });
}

/** An answer of the right shape that says something impossible. */
export function broken(provider: string, what: string): AppError {
  return new AppError('upstream_unavailable', `${provider} gave ${what}.`, { details: { provider } });
}
