import { randomBytes } from 'node:crypto';
import type { ChatInput, ToolChoice, ToolDefinition } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { WorkerRequest } from '../ipc/protocol.ts';
import { bindAnswer, bindToolCalls, type CallOpening, formatGrammar, toolCallGrammar } from './answer-grammar.ts';
import type { EarlierAnswers } from './draft/earlier-answers.ts';
import { draftsOf } from './draft/job-drafts.ts';
import { createJob, type Job } from './job.ts';
import { contextLengthError } from './loop.ts';
import { createOutputParser } from './output-parser.ts';
import { countPinned } from './pins.ts';
import { sharedOwner } from './prefix-store.ts';
import type { Runtime } from './runtime.ts';
import { createStopMatcher } from './stop-matcher.ts';
import type { ChatTemplate } from './template.ts';
import { createTextStream } from './text-stream.ts';

/** Largest prompt in characters that is tokenised at all, per context token: no token of any vocabulary is longer on average. */
const maxCharactersPerToken = 64;

/**
 * Makes a job of a request: renders, tokenises, counts.
 * Throws `context_length_exceeded` with both numbers before anything is decoded, `not_supported` for tools that the
 * model's template cannot write, `invalid_request` when the template refuses the conversation.
 */
export function prepareJob(
  id: number,
  request: WorkerRequest,
  deps: {
    runtime: Runtime;
    template: ChatTemplate;
    nowMs: () => number;
    /** Texts whose prompts are kept from the first time on. */
    pinnedPrompts: readonly string[];
    /** Null where guesses are off. */
    earlier: EarlierAnswers | null;
  },
): Job {
  const { runtime, template } = deps;
  const { pieces, answerPrefix, opening, tools } = renderInput(request.input, template);
  const answerGbnf = formatGrammar(request.format, deps.nowMs);
  refuseMixes(request, tools);
  const characters = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (characters > runtime.contextTokens * maxCharactersPerToken) {
    // Certainly too long: the count is a floor, said as such by the message of the larger number.
    throw contextLengthError(Math.ceil(characters / maxCharactersPerToken), runtime.contextTokens);
  }
  const prompt = runtime.tokenize(pieces);
  if (prompt.length === 0) throw new AppError('invalid_request', 'The prompt is empty.', { field: 'prompt' });
  // One cell of the context stays free, and at least one token has to be generated.
  if (prompt.length > runtime.contextTokens - 1) throw contextLengthError(prompt.length, runtime.contextTokens);
  refuseUnknownTokens(request.sampling.logitBias, runtime.vocabulary.size);
  const parser = createOutputParser({
    tools: tools.length > 0,
    startsInReasoning: request.input.type === 'chat' && /<think>\s*$/.test(pieces.at(-1) ?? ''),
    newCallId: () => `call_${randomBytes(12).toString('hex')}`,
  });
  // Log probabilities come from our own choice among candidates, which knows no grammar: calls are then only read.
  const bindsCalls = tools.length > 0 && request.topLogprobs === null && !endsLate(request);
  return createJob({
    id,
    model: request.model,
    prompt,
    cache: {
      owner: request.owner ?? sharedOwner,
      mode: request.promptCache === 'none' ? 'none' : 'keep',
      pinTokens: countPinned({ request, pieces, prompt }, runtime.tokenize, deps.pinnedPrompts),
    },
    sampling: request.sampling,
    topLogprobs: request.topLogprobs,
    grammar:
      answerGbnf !== null
        ? bindAnswer(answerGbnf, parser)
        : bindsCalls
          ? bindToolCalls(toolCallGrammar(tools, opening, deps.nowMs), parser, opening)
          : null,
    maxTokens: request.maxTokens,
    isEnd: runtime.isEnd,
    text: createTextStream(runtime.vocabulary, runtime.detokenize),
    stops: createStopMatcher(request.stop),
    parser,
    answerPrefix,
    describe: (token) => describeToken(token, runtime),
    nowMs: deps.nowMs,
    ...(deps.earlier && { drafts: draftsOf(request, prompt, deps.earlier) }),
  });
}

const endsLate = ({ sampling }: WorkerRequest) => sampling.ignoreEnd === true || (sampling.minTokens ?? 0) > 0;

/** Wishes that exclude each other are refused, not dropped. */
function refuseMixes(request: WorkerRequest, tools: readonly ToolDefinition[]): void {
  if (request.format.type === 'text') return;
  const refuse = (other: string) =>
    new AppError('invalid_request', `A structured answer cannot be combined with ${other}.`, {
      field: 'response_format',
      fix: `Leave out response_format or ${other}.`,
    });
  if (tools.length > 0) throw refuse('tools');
  if (request.topLogprobs !== null) throw refuse('logprobs');
  if (endsLate(request)) throw refuse('ignore_eos and min_tokens');
}

function refuseUnknownTokens(logitBias: Record<number, number> | undefined, vocabularySize: number): void {
  const unknown = Object.keys(logitBias ?? {}).find((token) => Number(token) >= vocabularySize);
  if (unknown === undefined) return;
  throw new AppError('invalid_request', `logit_bias names token ${unknown}; this model has ${vocabularySize} tokens.`, {
    field: 'logit_bias',
  });
}

interface RenderedInput {
  pieces: string[];
  answerPrefix: string;
  opening: CallOpening;
  /** Tools that the answer may call. */
  tools: readonly ToolDefinition[];
}

function renderInput(input: ChatInput, template: ChatTemplate): RenderedInput {
  // Raw text is the client's own prompt format: control tokens in it are meant.
  if (input.type === 'text') return { pieces: [input.prompt], answerPrefix: '', opening: 'none', tools: [] };
  const offered = input.toolChoice.type === 'none' ? [] : input.tools;
  if (offered.length > 0 && !template.supportsTools) {
    throw new AppError('not_supported', "This model's chat template has no tool calls that this server can read.", {
      field: 'tools',
      fix: 'Leave out tools, or use a model whose template writes <tool_call>, such as Qwen 2.5 or the built-in model.',
    });
  }
  const { pieces } = template.render({ messages: input.messages, tools: offered });
  const { answerPrefix, opening } = offered.length === 0 ? noOpening : toolCallOpening(input.toolChoice);
  const last = pieces.length - 1;
  return {
    pieces: pieces.map((piece, index) => (index === last ? piece + answerPrefix : piece)),
    answerPrefix,
    opening,
    tools: opening === 'arguments' ? offered.filter((tool) => tool.name === namedTool(input.toolChoice)) : offered,
  };
}

const noOpening = { answerPrefix: '', opening: 'none' } as const;

/** A required call is begun for the model: it can only go on with a tool, or with the arguments of the named one. */
function toolCallOpening(choice: ToolChoice): { answerPrefix: string; opening: CallOpening } {
  if (choice.type === 'required') return { answerPrefix: '<tool_call>\n', opening: 'tag' };
  if (choice.type !== 'tool') return noOpening;
  return {
    answerPrefix: `<tool_call>\n{"name": ${JSON.stringify(choice.name)}, "arguments": `,
    opening: 'arguments',
  };
}

const namedTool = (choice: ToolChoice): string | null => (choice.type === 'tool' ? choice.name : null);

/** A token as OpenAI's log probabilities show it: text, and the bytes that the text may not show. */
function describeToken(token: number, runtime: Runtime): { text: string; bytes: number[] } {
  const bytes = runtime.vocabulary.bytesOf(token) ?? new TextEncoder().encode(runtime.detokenize([token]));
  return { text: new TextDecoder().decode(bytes), bytes: [...bytes] };
}
