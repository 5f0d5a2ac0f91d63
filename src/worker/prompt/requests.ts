import { randomBytes } from 'node:crypto';
import type { ChatInput, ToolChoice, ToolDefinition } from '../../core/chat.ts';
import { textOf } from '../../core/content.ts';
import { AppError } from '../../core/errors.ts';
import type { Warning } from '../../core/events.ts';
import type { TokensResult } from '../../core/provider.ts';
import type { WorkerRequest, WorkerTokensRequest } from '../../ipc/protocol.ts';
import {
  bindAnswer,
  bindToolCalls,
  type CheckedParts,
  createOutputParser,
  createReasoningBudget,
  createTask,
  eitherOf,
  formatGrammar,
  formatOrCalls,
  type Task,
} from '../answer/answer.ts';
import { type TemplateMessage, toTemplateMessages } from '../conversation/conversation.ts';
import type { DraftFactory } from '../draft/draft.ts';
import type { GrammarDeps, Opening, ReasoningTags } from '../families/families.ts';
import { turnEndTexts, withObjectSchema } from '../families/families.ts';
import { readableGrammar } from '../grammar/grammar.ts';
import type { Runtime } from '../llama/llama.ts';
import { sharedOwner } from '../prefix/prefix.ts';
import { createStopMatcher, createTextStream, showControls } from '../text/text.ts';
import { contextLengthError } from './context-length.ts';
import { countPinned } from './pinned-prompts.ts';
import { knownTokens, promptTokens, refuseEndless } from './prompt-tokens.ts';
import type { ChatTemplate } from './template.ts';

export interface PrepareDeps {
  runtime: Runtime;
  template: ChatTemplate;
  nowMs: () => number;
  /** Texts whose prompts are kept from the first time on. */
  pinnedPrompts: readonly string[];
  /** Null where guesses are off. */
  drafts: DraftFactory | null;
}

/** What a request has become. `checked`: what of its answer the grammar does not hold; null: nothing. */
export interface Prepared {
  task: Task;
  checked: CheckedParts | null;
}

/**
 * Makes a task of a request: renders, tokenises, counts. `mostUnique`: as `GrammarOptions` has it.
 * Throws `context_length_exceeded` with both numbers before anything is decoded, `invalid_request` when the template
 * refuses the conversation.
 */
export function prepareTask(
  id: number,
  request: WorkerRequest,
  deps: PrepareDeps,
  mostUnique: number | null = null,
): Prepared {
  const { runtime, template } = deps;
  const openTools = new Set<ToolDefinition>();
  const how: GrammarDeps = { nowMs: deps.nowMs, leaveOpen: (tool) => openTools.add(tool), mostUnique };
  const { pieces, answerPrefix, startsInReasoning, startsInAnswer, opening, tools } = renderInput(
    request.input,
    template,
    how,
  );
  const answer = formatGrammar(request.format, how);
  if (request.format.type === 'grammar' && !runtime.acceptsGrammar(request.format.gbnf)) {
    throw new AppError('invalid_request', 'The grammar cannot be read.', {
      field: 'format',
      fix: readableGrammar,
    });
  }
  refuseMixes(request, tools);
  const prompt = promptTokens(request, pieces, runtime);
  if (prompt.length === 0) throw new AppError('invalid_request', 'The prompt is empty.', { field: 'input' });
  // One cell of the context stays free, and at least one token has to be generated.
  if (prompt.length > runtime.contextTokens - 1) throw contextLengthError(prompt.length, runtime.contextTokens);
  refuseUnknownTokens(request.sampling.logitBias, runtime.vocabulary.size);
  const { form, reasoning } = template;
  // Log probabilities come from our own choice among candidates, which knows no grammar: calls are then only read.
  const bindsCalls = tools.length > 0 && request.topLogprobs === null && !endsLate(request);
  const callGbnf = bindsCalls ? form.callGrammar(tools, how) : null;
  const isBound = bindsCalls && (callGbnf !== null || opening !== null);
  const parser = createOutputParser({
    calls: tools.length > 0 ? { form, tools, bound: isBound, begun: opening !== null } : null,
    reasoning,
    startsInReasoning,
    startsInAnswer,
    newCallId: () => `call_${randomBytes(12).toString('hex')}`,
  });
  const ends = new Set(endsLate(request) ? [] : turnEndTexts(template.source, runtime.vocabulary.controlTexts));
  const shown = [...(tools.length > 0 ? [...form.opens, ...form.markers] : []), ...tagTexts(reasoning)];
  const boundCalls = isBound ? bindToolCalls({ opened: opening?.gbnf ?? null, gbnf: callGbnf }, parser) : null;
  const grammar =
    answer === null || opening !== null
      ? boundCalls
      : tools.length === 0
        ? bindAnswer(answer.gbnf, parser)
        : reasoning.answers === undefined
          ? bindAnswer(formatOrCalls(answer.gbnf, form, tools, how), parser)
          : // Behind the text that opens the answer no call can come.
            eitherOf(bindAnswer(answer.gbnf, parser), boundCalls);
  const budget =
    request.reasoningTokens !== undefined && mayBeStopped(request, template, startsInReasoning)
      ? createReasoningBudget(
          {
            tokens: request.reasoningTokens,
            close: reasoning.close,
            closeTokens: runtime.tokenizeFurther(reasoning.close).length,
          },
          parser,
        )
      : null;
  const task = createTask({
    id,
    model: request.model,
    fingerprint: runtime.fingerprint,
    warnings: [...warningsFor(request.input, template), ...typicalWarnings(request, grammar ?? budget)],
    prompt,
    cache: {
      owner: request.owner ?? sharedOwner,
      mode: request.promptCache === 'none' ? 'none' : 'keep',
      pinTokens: countPinned({ request, pieces, prompt }, runtime.tokenize, deps.pinnedPrompts),
    },
    sampling: request.sampling,
    topLogprobs: request.topLogprobs,
    grammar: budget ? budget.bind(grammar) : grammar,
    ...(budget && { reasoningBudget: budget }),
    maxTokens: request.maxTokens,
    isEnd: (token) => runtime.isEnd(token) || ends.has(runtime.vocabulary.controlTextOf(token) ?? ''),
    text: createTextStream(showControls(runtime.vocabulary, shown), runtime.detokenize),
    stops: createStopMatcher(request.stop),
    parser,
    singleCall: request.input.type === 'chat' && request.input.parallelToolCalls === false,
    ...(request.returnsTokens && { returnsTokens: true }),
    ...(request.isBackground && { isBackground: true }),
    answerPrefix,
    describe: (token) => describeToken(token, runtime),
    nowMs: deps.nowMs,
    ...(deps.drafts && { drafts: deps.drafts(request, prompt) }),
  });
  const format = answer?.isOpen && opening === null ? request.format : null;
  const checkedTools = tools.filter((tool) => bindsCalls && openTools.has(tool));
  return { task, checked: format === null && checkedTools.length === 0 ? null : { format, tools: checkedTools } };
}

/** How much to think is for a template to say: one that does not know the word makes no difference of it. */
function warningsFor(input: ChatInput, { source }: ChatTemplate): Warning[] {
  const isWished = input.type === 'chat' && input.templateOptions?.['reasoning_effort'] !== undefined;
  if (!isWished || source.includes('reasoning_effort')) return [];
  return [{ field: 'reasoning.effort', message: 'makes no difference to this model' }];
}

/** What our own choice among candidates does has no effect where a grammar of the library's binds the answer. */
function typicalWarnings({ sampling }: WorkerRequest, binds: object | null): Warning[] {
  if (binds === null || (sampling.typicalP ?? 1) >= 1) return [];
  return [{ field: 'sampling.typicalP', message: 'makes no difference to an answer that a grammar binds' }];
}

/** Tokens of a request's prompt as `prepareTask` would have it, however many they are. Throws as it does for the rest. */
export function countPrompt(request: WorkerRequest, deps: Pick<PrepareDeps, 'runtime' | 'template' | 'nowMs'>): number {
  const how: GrammarDeps = { nowMs: deps.nowMs, leaveOpen: () => {}, mostUnique: null };
  const { pieces } = renderInput(request.input, deps.template, how);
  return promptTokens(request, pieces, deps.runtime).length;
}

/** Text as tokens, tokens as text, or the prompt of a conversation as both; however many they are. */
export function readTokens(
  request: WorkerTokensRequest,
  deps: Pick<PrepareDeps, 'runtime' | 'template' | 'nowMs'>,
): Omit<TokensResult, 'model'> {
  const { runtime } = deps;
  const { text, tokens } = read(request, deps);
  return { text, tokens, ...(request.wantsPieces && { pieces: tokens.map((token) => shownToken(token, runtime)) }) };
}

function read(
  request: WorkerTokensRequest,
  { runtime, template, nowMs }: Pick<PrepareDeps, 'runtime' | 'template' | 'nowMs'>,
): { text: string; tokens: number[] } {
  const { input } = request;
  if (input.type === 'text') {
    const { prompt } = input;
    if (typeof prompt !== 'string') {
      const tokens = knownTokens(prompt, runtime);
      return { text: runtime.detokenize(tokens, true), tokens };
    }
    refuseEndless([prompt], runtime.contextTokens);
    return { text: prompt, tokens: runtime.tokenizeText(prompt, request) };
  }
  const { pieces } = renderInput(input, template, { nowMs, leaveOpen: () => {}, mostUnique: null });
  return { text: pieces.join(''), tokens: promptTokens(request, pieces, runtime) };
}

/** As `describeToken`, a control token by its name. */
function shownToken(token: number, runtime: Runtime): { text: string; bytes: number[] } {
  const control = runtime.vocabulary.controlTextOf(token);
  return control === null ? describeToken(token, runtime) : { text: control, bytes: [...Buffer.from(control)] };
}

const endsLate = ({ sampling }: WorkerRequest) => sampling.ignoreEnd === true || (sampling.minTokens ?? 0) > 0;

/**
 * Whether reasoning may have to be closed for the model. Log probabilities, late ends and biases come from our own choice
 * among candidates, which knows no grammar.
 */
function mayBeStopped(
  request: WorkerRequest,
  { source, reasoning }: ChatTemplate,
  startsInReasoning: boolean,
): boolean {
  if (request.topLogprobs !== null || endsLate(request) || request.sampling.logitBias !== undefined) return false;
  return startsInReasoning || source.includes(reasoning.open.trim());
}

/** Wishes that exclude each other are refused, not dropped. */
function refuseMixes(request: WorkerRequest, tools: readonly ToolDefinition[]): void {
  if (request.format.type === 'text') return;
  const refuse = (other: string) =>
    new AppError('invalid_request', `A structured answer cannot be combined with ${other}.`, {
      field: 'format',
      fix: 'Leave out one of the two.',
    });
  // A grammar of the client's own has no place for calls.
  if (request.format.type === 'grammar' && tools.length > 0) throw refuse('tools');
  if (request.topLogprobs !== null) throw refuse('log probabilities');
  if (endsLate(request)) throw refuse('an answer that must not end by itself');
}

function refuseUnknownTokens(logitBias: Record<number, number> | undefined, vocabularySize: number): void {
  const unknown = Object.keys(logitBias ?? {}).find((token) => Number(token) >= vocabularySize);
  if (unknown === undefined) return;
  throw new AppError(
    'invalid_request',
    `A bias is given to token ${unknown}; this model has ${vocabularySize} tokens.`,
    {
      field: 'sampling.logitBias',
    },
  );
}

interface RenderedInput {
  pieces: string[];
  answerPrefix: string;
  startsInReasoning: boolean;
  /** The prompt already opened what the user is told. */
  startsInAnswer: boolean;
  /** A call that was begun for the model, or null. */
  opening: Opening | null;
  /** Tools that the answer may call. */
  tools: readonly ToolDefinition[];
}

function renderInput(input: ChatInput, template: ChatTemplate, how: GrammarDeps): RenderedInput {
  // Raw text is the client's own prompt format: control tokens in it are meant.
  if (input.type === 'text') {
    const pieces = typeof input.prompt === 'string' ? [input.prompt] : [];
    return { pieces, answerPrefix: '', startsInReasoning: false, startsInAnswer: true, opening: null, tools: [] };
  }
  const { form, reasoning } = template;
  const { toolChoice } = input;
  const offered = toolChoice.type === 'none' ? [] : input.tools.map(withObjectSchema);
  const messages = toTemplateMessages(input.messages);
  const last = messages.at(-1);
  const begun = input.continuesLast && last?.role === 'assistant' ? last : null;
  const rendered = template.render({
    messages: begun ? messages.slice(0, -1) : messages,
    tools: offered,
    ...(input.templateOptions && { options: input.templateOptions }),
  });
  const { pieces, startsInReasoning } = goOn(rendered.pieces, begun, template);
  const named = toolChoice.type === 'tool' ? (offered.find(({ name }) => name === toolChoice.name) ?? null) : null;
  const callable =
    toolChoice.type === 'allowed' ? offered.filter(({ name }) => toolChoice.names.includes(name)) : offered;
  const isRequired = named !== null || (mustCall(toolChoice) && callable.length > 0);
  // A required call is begun for the model: it can only go on with a tool, or with the arguments of the named one.
  const opening = isRequired ? form.requireCall({ tools: callable, named, how }) : null;
  // A call does not stand within reasoning: what the prompt opened is closed first.
  const gap = reasoning.opensAnswer ? '' : '\n\n';
  const answerPrefix = opening ? (startsInReasoning ? `${reasoning.close}${gap}` : '') + opening.prefix : '';
  const lastPiece = pieces.length - 1;
  return {
    pieces: pieces.map((piece, index) => (index === lastPiece ? piece + answerPrefix : piece)),
    answerPrefix,
    startsInReasoning,
    startsInAnswer:
      (begun !== null && textOf(begun.content) !== '') ||
      (reasoning.answers ?? []).some((text) => pieces[lastPiece]?.endsWith(text)),
    opening,
    tools: named ? [named] : callable,
  };
}

/** The prompt with what the assistant has begun to say behind it, and whether the answer begins within reasoning. */
function goOn(
  rendered: readonly string[],
  begun: Extract<TemplateMessage, { role: 'assistant' }> | null,
  { reasoning, piecesOf }: ChatTemplate,
): { pieces: string[]; startsInReasoning: boolean } {
  const last = rendered.at(-1) ?? '';
  const opened = last.trimEnd().endsWith(reasoning.open.trimEnd());
  if (!begun) return { pieces: [...rendered], startsInReasoning: opened };
  const said = textOf(begun.content);
  const thought = begun.reasoning ?? '';
  const { opensAnswer } = reasoning;
  const closing = opensAnswer ? reasoning.close + opensAnswer.afterReasoning : `\n${reasoning.close}\n\n`;
  const opening = opensAnswer ? reasoning.open : `${reasoning.open}\n`;
  if (opened && said === '') return { pieces: append(rendered, piecesOf(thought)), startsInReasoning: true };
  // Tags are ours, whatever stands between them is not.
  const isAnswering = reasoning.answers?.some((text) => last.endsWith(text)) ?? true;
  const alone = isAnswering ? [] : [opensAnswer?.alone ?? ''];
  const withThought = opened
    ? append(append(rendered, piecesOf(thought)), [closing])
    : thought === ''
      ? append(rendered, alone)
      : append(append(append(rendered, [opening]), piecesOf(thought)), [closing]);
  return { pieces: append(withThought, piecesOf(said)), startsInReasoning: false };
}

/** More pieces behind those; what was one text stays one. */
function append(pieces: readonly string[], [first = '', ...others]: readonly string[]): string[] {
  return [...pieces.slice(0, -1), (pieces.at(-1) ?? '') + first, ...others];
}

const mustCall = (choice: ToolChoice) =>
  choice.type === 'required' || (choice.type === 'allowed' && choice.mode === 'required');

const tagTexts = ({ open, close, controls = [] }: ReasoningTags) => [open, close, ...controls];

/** A token as OpenAI's log probabilities show it: text, and the bytes that the text may not show. */
function describeToken(token: number, runtime: Runtime): { text: string; bytes: number[] } {
  const bytes = runtime.vocabulary.bytesOf(token) ?? new TextEncoder().encode(runtime.detokenize([token]));
  return { text: new TextDecoder().decode(bytes), bytes: [...bytes] };
}
