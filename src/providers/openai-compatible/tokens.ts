import type { TokenCount, TokensRequest, TokensResult } from '../../core/provider.ts';
import { type AskJson, broken, unsupported } from './embeddings.ts';
import type { ChosenModel } from './models.ts';
import type { WireRequest } from './to-wire.ts';
import { countAt, isJson, type Json, listAt, textAt } from './wire.ts';

interface TokenDeps {
  provider: string;
  model: ChosenModel;
  ask: AskJson;
}

/** Tokens of the prompt as the service counts them. */
export async function countOverWire({ path, body }: WireRequest, deps: TokenDeps): Promise<TokenCount> {
  const { provider, ask } = deps;
  const { id, row } = deps.model;
  const { stream: _stream, stream_options: _options, ...counted } = body;
  if (path === '/chat/completions' && row.endpoints.count === 'input-tokens') {
    const answer = await ask('/chat/completions/input_tokens', counted);
    return { model: id, promptTokens: countOf(countAt(answer, 'input_tokens'), provider) };
  }
  if (Array.isArray(body['prompt'])) return { model: id, promptTokens: body['prompt'].length };
  // The start token counts, as it does in an answer to the same text.
  const asked = path === '/completions' ? { model: id, content: body['prompt'], prompt: body['prompt'] } : counted;
  const isVllm = row.endpoints.count === 'tokenize';
  const answer = await ask(
    'root:/tokenize',
    isVllm ? without(asked, 'content') : { ...without(asked, 'prompt'), add_special: true },
  );
  return { model: id, promptTokens: countOf(countAt(answer, 'count') ?? listAt(answer, 'tokens').length, provider) };
}

/**
 * Text as tokens of the service's model, tokens as text, or the prompt of a conversation as both. `wire`: the conversation as a
 * body; null: it is none.
 */
export async function tokensOverWire(
  request: TokensRequest,
  wire: WireRequest | null,
  deps: TokenDeps,
): Promise<TokensResult> {
  const { input } = request;
  const kind = deps.model.row.endpoints.tokens;
  if (kind === null) throw unsupported('model', `${deps.provider} does not show its tokens.`);
  if (request.wantsPieces && kind === 'vllm') {
    throw unsupported('wantsPieces', `${deps.provider} tells tokens as its vocabulary has them, not as texts.`);
  }
  if (input.type === 'chat') return chatTokens(request, wire!.body, deps, kind);
  const { prompt } = input;
  if (typeof prompt !== 'string') {
    if (request.wantsPieces) throw unsupported('wantsPieces', `${deps.provider} tells the pieces of a text alone.`);
    return { model: deps.model.id, tokens: [...prompt], text: await textOf(prompt, deps) };
  }
  return { ...(await tokensOf(request, prompt, deps, kind)), text: prompt };
}

type Kind = NonNullable<ChosenModel['row']['endpoints']['tokens']>;

/** The prompt that the model's template makes of a conversation. */
async function chatTokens(request: TokensRequest, body: Json, deps: TokenDeps, kind: Kind): Promise<TokensResult> {
  const { stream: _stream, stream_options: _options, ...asked } = body;
  if (kind === 'llama') {
    // It tokenizes texts only; the template's own start token is none of its prompt.
    const prompt = textAt(await deps.ask('root:/apply-template', asked), 'prompt');
    if (prompt === null) throw broken(deps.provider, 'no prompt');
    return { ...(await tokensOf({ ...request, addStart: true }, prompt, deps, kind)), text: prompt };
  }
  const { wantsPieces = false } = request;
  const answer = await deps.ask('root:/tokenize', { ...asked, ...(wantsPieces && { with_pieces: true }) });
  const read = readTokens(answer, wantsPieces, deps);
  return { ...read, text: await textOf(read.tokens, deps) };
}

async function tokensOf(
  { addStart = false, controlsAreText = false, wantsPieces = false }: TokensRequest,
  text: string,
  deps: TokenDeps,
  kind: Kind,
): Promise<Omit<TokensResult, 'text'>> {
  if (kind === 'vllm' && controlsAreText) {
    throw unsupported('controlsAreText', `${deps.provider} reads names of control tokens as the tokens.`);
  }
  const model = deps.model.id;
  const body =
    kind === 'vllm'
      ? { model, prompt: text, add_special_tokens: addStart }
      : { model, content: text, add_special: addStart, parse_special: !controlsAreText, with_pieces: wantsPieces };
  return readTokens(await deps.ask('root:/tokenize', body), wantsPieces, deps);
}

/** Numbers, or with pieces `{id, piece}`, where a piece is a text, or bytes that are none by themselves. */
function readTokens(answer: unknown, wantsPieces: boolean, { provider, model }: TokenDeps): Omit<TokensResult, 'text'> {
  const items = isJson(answer) && Array.isArray(answer['tokens']) ? answer['tokens'] : null;
  const tokens = (items ?? []).map((item) => (wantsPieces ? countAt(item, 'id') : item));
  if (items === null || !tokens.every((token) => typeof token === 'number')) throw broken(provider, 'no tokens');
  if (!wantsPieces) return { model: model.id, tokens };
  return { model: model.id, tokens, pieces: items.map((item) => pieceOf(isJson(item) ? item['piece'] : null)) };
}

function pieceOf(piece: unknown): { text: string; bytes: number[] } {
  if (typeof piece === 'string') return { text: piece, bytes: [...new TextEncoder().encode(piece)] };
  const bytes = Array.isArray(piece) ? piece.filter((byte) => typeof byte === 'number') : [];
  return { text: new TextDecoder().decode(Uint8Array.from(bytes)), bytes };
}

async function textOf(tokens: readonly number[], { provider, model, ask }: TokenDeps): Promise<string> {
  const answer = await ask('root:/detokenize', { model: model.id, tokens });
  const text = textAt(answer, 'content') ?? textAt(answer, 'prompt');
  if (text === null) throw broken(provider, 'no text for its tokens');
  return text;
}

function without(body: Json, name: string): Json {
  const { [name]: _left, ...rest } = body;
  return rest;
}

function countOf(count: number | null, provider: string): number {
  if (count === null) throw broken(provider, 'no number of tokens');
  return count;
}
