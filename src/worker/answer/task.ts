import type { Sampling } from '../../core/chat.ts';
import type { FinishReason, StreamEvent, TokenChoice, Warning } from '../../core/events.ts';
import { promptUsage } from '../../core/usage.ts';
import type { TaskDrafts } from '../draft/draft.ts';
import type { CacheUse } from '../prefix/prefix.ts';
import type { GeneratedToken, GenerationSettings, GrammarSource } from '../sequence/sequence.ts';
import type { StopMatcher, TextStream } from '../text/text.ts';
import type { OutputParser } from './output-parser.ts';
import type { ReasoningBudget } from './reasoning-budget.ts';

/** One request inside the worker: its prompt as tokens and the pipeline that turns generated tokens into events. */
export interface Task {
  readonly id: number;
  readonly prompt: readonly number[];
  readonly cache: CacheUse;
  /** How its tokens are chosen; `generated` holds those so far, without the end token. */
  readonly settings: GenerationSettings;
  /** Called once a slot is taken; `cachedTokens` of the prompt need no evaluation. */
  begin(cachedTokens: number): StreamEvent[];
  /** Takes one generated token; `finished` when the answer is complete. */
  accept(token: GeneratedToken): { events: StreamEvent[]; finished: boolean };
  /** Ends the answer early: the context is full, or the request was cancelled. */
  finish(reason: FinishReason): StreamEvent[];
  /** Instead of tokens it wants to know how likely some of them are; left out: it generates. */
  readonly scoring?: Scoring;
  /** Nobody waits for it; left out: somebody does. */
  readonly isBackground?: boolean;
}

/**
 * What a task reads at the ends of its prompts, one after the other on one slot. They begin alike, and each is read in
 * portions at places that hang on nothing but the prompt: a row rounds otherwise in a batch of another shape.
 */
export interface Scoring {
  /** Leading tokens that all its prompts share: a portion ends there, and the slot keeps their state at the end. */
  readonly sharedTokens: number;
  /** Tokens of a portion; the last one before `sharedTokens` and the last of all may have fewer. */
  readonly portionTokens: number;
  /** Prompts that were read so far. */
  readonly read: number;
  /** Tokens whose shares of the next token's distribution are wanted behind the prompt. */
  readonly candidates: readonly number[];
  /**
   * Takes their shares, in their order, and tells how many leading tokens of the state are of use to what comes next.
   * `goesOn`: the task has another prompt, and `prompt` and `candidates` are that one's.
   */
  take(shares: readonly number[]): { goesOn: boolean; keptTokens: number };
}

interface TaskDeps {
  id: number;
  model: string;
  /** Of the software and the weights. */
  fingerprint: string;
  /** Wishes of the request that this model does not honour; left out: none. */
  warnings?: readonly Warning[];
  prompt: number[];
  cache: CacheUse;
  sampling: Sampling;
  topLogprobs: number | null;
  grammar: GrammarSource | null;
  maxTokens: number | null;
  isEnd: (token: number) => boolean;
  text: TextStream;
  stops: StopMatcher;
  parser: OutputParser;
  /** Absent: the model thinks as long as it likes. */
  reasoningBudget?: Pick<ReasoningBudget, 'spend'>;
  /** The answer ends with its first call. */
  singleCall: boolean;
  /** The answer ends with the tokens of prompt and answer; left out: it does not. */
  returnsTokens?: boolean;
  isBackground?: boolean;
  /** Text that was forced to begin the answer and is part of it (the opening of a required tool call). */
  answerPrefix: string;
  /** Text and exact bytes of a token, for log probabilities. */
  describe: (token: number) => { text: string; bytes: number[] };
  nowMs: () => number;
  /** Guesses for this answer, made over the list of its tokens that grows; absent: none. */
  drafts?: TaskDrafts;
}

/** Pipeline of a task: token, bytes, text, stop strings, blocks. */
export function createTask(deps: TaskDeps): Task {
  const generated: number[] = [];
  const drafts = deps.drafts?.begin(generated, deps.grammar);
  let cached = 0;
  let reasoningTokens = 0;
  let beganAtMs = 0;
  let firstTokenAtMs: number | null = null;
  let lastTokenAtMs = 0;

  const naturalReason = (stopped: string | null): FinishReason => {
    // Half a call among others is not to be made, so none is called whole.
    if (deps.parser.toolCallCount > 0 && !deps.parser.hasCutCall) return 'tool_calls';
    return stopped === null ? 'stop' : 'stop_sequence';
  };

  /**
   * Text through the stop strings to the parser. Within a call nothing stops an answer: its arguments are for a program,
   * and half of them are worth nothing.
   */
  const show = (text: string): { events: StreamEvent[]; stopped: string | null } => {
    const { parser, stops } = deps;
    if (parser.inCall) return { events: parser.push(stops.end() + text), stopped: null };
    const { text: shown, stopped, rest } = stops.push(text);
    const events = parser.push(shown, stopped !== null);
    if (stopped === null) {
      // What is held back for a stop string belongs to the call that has begun before it.
      if (parser.inCall) events.push(...parser.push(stops.end()));
      return { events, stopped };
    }
    if (!parser.inCall) return { events, stopped };
    return { events: [...events, ...parser.push(rest)], stopped: null };
  };

  const endWithCall = (events: StreamEvent[]): StreamEvent[] => {
    const end = deps.singleCall ? events.findIndex(({ type }) => type === 'tool-call-end') : -1;
    return end < 0 ? events : events.slice(0, end + 1);
  };

  const finishWith = (reason: FinishReason, stopSequence: string | null): StreamEvent[] => {
    // A stop string may be completed by the very last bytes.
    const rest = stopSequence === null ? show(deps.text.end()) : { events: [], stopped: stopSequence };
    const { stopped } = rest;
    const events = endWithCall([
      ...rest.events,
      ...(stopped === null ? deps.parser.push(deps.stops.end()) : []),
      ...deps.parser.end(),
    ]);
    return [...events, finishEvent(reason, stopped)];
  };

  const finishEvent = (reason: FinishReason, stopped: string | null): StreamEvent => {
    const natural = reason === 'stop' || (stopped !== null && reason !== 'cancelled');
    if (reason !== 'cancelled') deps.drafts?.keep(generated);
    const prediction = deps.drafts?.predicted() ?? null;
    return {
      type: 'finish',
      reason: natural ? naturalReason(stopped) : reason,
      rawReason: null,
      stopSequence: stopped,
      usage: {
        ...promptUsage(deps.prompt.length, cached),
        outputTokens: generated.length,
        reasoningTokens,
        ...(prediction && { prediction }),
      },
      timings: {
        queueMs: null,
        prefillMs: firstTokenAtMs === null ? null : firstTokenAtMs - beganAtMs,
        decodeMs: firstTokenAtMs === null ? null : lastTokenAtMs - firstTokenAtMs,
      },
      ...(deps.returnsTokens && { tokens: [...deps.prompt, ...generated] }),
    };
  };

  const describeChoice = ({ token, logprob, top }: GeneratedToken): StreamEvent[] => {
    if (logprob === null) return [];
    const describe = (candidate: number, value: number): TokenChoice => ({
      ...deps.describe(candidate),
      logprob: value,
    });
    return [
      {
        type: 'logprobs',
        tokens: [{ ...describe(token, logprob), top: top.map((other) => describe(other.token, other.logprob)) }],
      },
    ];
  };

  return {
    id: deps.id,
    prompt: deps.prompt,
    cache: deps.cache,
    ...(deps.isBackground && { isBackground: true }),
    settings: {
      sampling: deps.sampling,
      generated,
      topLogprobs: deps.topLogprobs,
      grammar: drafts ? drafts.grammar : deps.grammar,
      ...(drafts && { drafts: drafts.source }),
    },
    begin(cachedTokens) {
      cached = cachedTokens;
      beganAtMs = deps.nowMs();
      return [
        {
          type: 'start',
          model: deps.model,
          responseId: null,
          usage: promptUsage(deps.prompt.length, cachedTokens),
          warnings: deps.warnings ?? [],
          fingerprint: deps.fingerprint,
        },
        ...deps.parser.push(deps.answerPrefix),
      ];
    },
    accept(choice) {
      const { token } = choice;
      lastTokenAtMs = deps.nowMs();
      firstTokenAtMs ??= lastTokenAtMs;
      // A prompt cannot be read without a token coming of it; here nobody wants it.
      if (deps.maxTokens === 0) return { events: finishWith('length', null), finished: true };
      if (deps.isEnd(token)) return { events: finishWith('stop', null), finished: true };
      generated.push(token);
      const logprobs = describeChoice(choice);
      const { events: shown, stopped } = show(deps.text.push(token));
      const untilCall = endWithCall(shown);
      const events = [...logprobs, ...untilCall];
      if (deps.parser.inReasoning) {
        reasoningTokens++;
        deps.reasoningBudget?.spend();
      }
      if (untilCall.at(-1)?.type === 'tool-call-end' && deps.singleCall) {
        return { events: [...events, finishEvent('stop', null)], finished: true };
      }
      if (stopped !== null) return { events: [...events, ...finishWith('stop', stopped)], finished: true };
      if (deps.maxTokens !== null && generated.length >= deps.maxTokens) {
        return { events: [...events, ...finishWith('length', null)], finished: true };
      }
      return { events, finished: false };
    },
    finish: (reason) => finishWith(reason, null),
  };
}
