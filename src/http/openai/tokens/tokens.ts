import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { AppError } from '../../../core/errors.ts';
import type { TokensRequest, TokensResult } from '../../../core/provider.ts';
import { askWhole, tellEstimated } from '../../answer/answer.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { chatBody, chatNames, chatToCore } from '../chat/chat.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { toTokens } from '../objects/token-list.ts';
import {
  detokenizeAnswer,
  detokenizeBody,
  inputTokensAnswer,
  type TokenizeBody,
  templateAnswer,
  tokenizeAnswer,
  tokenizeBody,
} from './schema.ts';

/** `POST /tokenize`, `/detokenize` and `/apply-template`, which llama-server and vLLM have at the root. */
export function addTokenRoutes(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/tokenize', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Turn text into tokens of a model',
      description: 'A text (`content`, or `prompt`), or the prompt that `messages` become. As llama-server and vLLM.',
      tags,
      body: tokenizeBody,
      response: { 200: jsonAnswer(tokenizeAnswer, 'The tokens'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const { body } = request;
      const { wanted, names } = toTokenize(body);
      const result = await askWhole(deps, request, reply, names, (context) => deps.gateway.tokens(wanted, context));
      return toTokenizeAnswer(result, body);
    },
  });
  app.post('/detokenize', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Turn tokens of a model into text',
      tags,
      body: detokenizeBody,
      response: { 200: jsonAnswer(detokenizeAnswer, 'The text'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const { model, tokens, keep_alive: keepAlive } = request.body;
      const wanted: TokensRequest = {
        ...nothingElse,
        model: model ?? 'default',
        input: { type: 'text', prompt: toTokens(tokens, 'tokens') },
        ...(keepAlive !== null && keepAlive !== undefined && { keepAliveMs: parseKeepAlive(keepAlive) }),
      };
      const names = { ...sharedNames, 'input.*': 'tokens' };
      const { text } = await askWhole(deps, request, reply, names, (context) => deps.gateway.tokens(wanted, context));
      return { content: text, prompt: text };
    },
  });
  app.post('/apply-template', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Show the prompt that a conversation becomes',
      description: 'The body is that of a chat; nothing is generated.',
      tags,
      body: chatBody,
      response: { 200: jsonAnswer(templateAnswer, 'The prompt'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const wanted = chatToCore(request.body);
      const { text } = await askWhole(deps, request, reply, chatNames(request.body), (context) =>
        deps.gateway.tokens(wanted, context),
      );
      return { prompt: text };
    },
  });
}

/** `POST /chat/completions/input_tokens`: exactly what the answer's usage would count. */
export function addInputTokensRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/chat/completions/input_tokens', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Count the tokens of a chat',
      description: 'The body is that of a chat; nothing is generated.',
      tags,
      body: chatBody,
      response: { 200: jsonAnswer(inputTokensAnswer, 'The count'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const wanted = chatToCore(request.body);
      const counted = await askWhole(deps, request, reply, chatNames(request.body), (context) =>
        deps.gateway.count(wanted, context),
      );
      tellEstimated(reply, counted, 'input_tokens');
      return { object: 'response.input_tokens' as const, input_tokens: counted.promptTokens };
    },
  });
}

const nothingElse = { sampling: {}, stop: [] };

function toTokenize(body: TokenizeBody): { wanted: TokensRequest; names: FieldNames } {
  const { content, prompt, messages } = body;
  const given = Object.entries({ content, prompt, messages }).filter(([, value]) => (value ?? null) !== null);
  const [first, second] = given.map(([name]) => name);
  if (first === undefined) throw new AppError('invalid_request', '"content" is required.', { field: 'content' });
  if (second !== undefined) {
    throw new AppError('invalid_request', `"${first}" and "${second}" exclude each other.`, { field: second });
  }
  const wantsPieces = Boolean(body.with_pieces || body.return_token_strs);
  if (messages) {
    const chat = { ...body, messages };
    return { wanted: { ...chatToCore(chat), wantsPieces }, names: { ...chatNames(chat), ...ownNames(body) } };
  }
  const keepAlive = body.keep_alive ?? null;
  return {
    wanted: {
      ...nothingElse,
      model: body.model ?? 'default',
      input: { type: 'text', prompt: content ?? prompt ?? '' },
      addStart: body.add_special ?? body.add_special_tokens ?? first === 'prompt',
      controlsAreText: body.parse_special === false,
      wantsPieces,
      ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
    },
    names: { ...sharedNames, ...ownNames(body), 'input.*': first },
  };
}

const ownNames = (body: TokenizeBody): FieldNames => ({
  wantsPieces: body.with_pieces ? 'with_pieces' : 'return_token_strs',
  controlsAreText: 'parse_special',
});

function toTokenizeAnswer({ model, tokens, pieces = [] }: TokensResult, body: TokenizeBody) {
  return {
    model,
    count: tokens.length,
    tokens: body.with_pieces
      ? tokens.map((id, index) => {
          const { text, bytes } = pieces[index] ?? { text: '', bytes: [] };
          // Part of a character has no text.
          return { id, piece: text.includes('\uFFFD') ? bytes : text };
        })
      : tokens,
    ...(body.return_token_strs && { token_strs: pieces.map(({ text }) => text) }),
  };
}
