import type { ChatRequest } from '../../core/chat.ts';
import type { DecisionRequest, DecisionResult } from '../../core/decision.ts';
import { decide, ordersOf, type Reading } from '../../core/decision-shares.ts';
import { beforeQuestion, instructions, optionsOf, wordQuestion } from '../../core/decision-wording.ts';
import type { TokenLogprob } from '../../core/events.ts';
import { type AskJson, broken, unsupported } from './embeddings.ts';
import { toLogprobs } from './logprobs.ts';
import type { ChosenModel } from './models.ts';
import { answersAtOnce } from './presets.ts';
import type { WireRequest } from './to-wire.ts';
import { toUsage } from './usage.ts';
import { isJson, jsonAt, listAt, textAt } from './wire.ts';

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
/** So many are asked at a time: a list of questions must not use up the quota of everyone in one moment. */
const atATime = 4;

/**
 * Closed questions put to a service that tells log probabilities: each question is asked for one token, the options in their order
 * and in the reverse one, each by a letter, and the shares of the letters are read from the likeliest tokens.
 */
export async function decideByLogprobs(
  request: DecisionRequest,
  deps: {
    provider: string;
    model: ChosenModel;
    toWire: (request: ChatRequest) => WireRequest;
    ask: AskJson;
  },
): Promise<DecisionResult> {
  const { provider, toWire, ask } = deps;
  const { row, id } = deps.model;
  const most = Math.min(row.mostLogprobs ?? 0, letters.length);
  if (most === 0) throw unsupported('model', `${provider} tells no log probabilities, from which decisions are read.`);
  if (!answersAtOnce(row)) {
    throw unsupported(
      'model',
      `"${id}" thinks before it answers, so that there is no probability of an answer to read.`,
    );
  }
  const steps = request.questions.flatMap((question, index) => {
    const count = optionsOf(question).length;
    if (count > most) {
      const message = `The question has ${count} options; ${provider} tells the ${most} likeliest tokens.`;
      throw unsupported(`questions.${index}`, message);
    }
    return ordersOf(count).map((order) => ({ index, order, text: wordQuestion(question, order, letters) }));
  });
  const total = { promptTokens: 0, cachedTokens: 0, outputTokens: 0 };
  let model = id;

  const read = async ({ order, text }: (typeof steps)[number]): Promise<Reading> => {
    const { path, body } = toWire(askedFor(request, text, most));
    const { stream: _stream, stream_options: _options, ...whole } = body;
    const answer = await ask(path, whole);
    const [choice] = listAt(answer, 'choices');
    const [first] = toLogprobs(jsonAt(choice, 'logprobs'));
    if (first === undefined) throw broken(provider, 'no log probabilities');
    const usage = toUsage(jsonAt(answer, 'usage'), row);
    total.promptTokens += (usage.inputTokens ?? 0) + (usage.cacheReadTokens ?? 0);
    total.cachedTokens += usage.cacheReadTokens ?? 0;
    total.outputTokens += usage.outputTokens ?? 1;
    if (isJson(answer)) model = textAt(answer, 'model') ?? model;
    return { order, shares: sharesOf(first, order.length) };
  };

  const readings = await inGroups(steps, read);
  return {
    model,
    decisions: request.questions.map((_, index) => decide(readings.filter((_one, at) => steps[at]!.index === index))),
    ...total,
    queueMs: null,
  };
}

function askedFor({ model, state, keepAliveMs }: DecisionRequest, question: string, top: number): ChatRequest {
  return {
    model,
    input: {
      type: 'chat',
      messages: [
        { role: 'system', content: [{ type: 'text', text: instructions }] },
        { role: 'user', content: [{ type: 'text', text: beforeQuestion(state) + question }] },
      ],
      tools: [],
      toolChoice: { type: 'auto' },
    },
    sampling: { temperature: 0 },
    stop: [],
    maxTokens: 1,
    logprobs: { top },
    reasoning: { mode: 'off' },
    ...(keepAliveMs !== undefined && { keepAliveMs }),
  };
}

/** The share of each letter: that of all tokens that say it. One that is not told has at most that of the last that is. */
function sharesOf({ top, ...chosen }: TokenLogprob, count: number): number[] {
  const told = top.length > 0 ? top : [chosen];
  const least = Math.min(...told.map(({ logprob }) => Math.exp(logprob)));
  const rest = Math.max(0, 1 - told.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0));
  return letters.slice(0, count).map((letter) => {
    const own = told.filter(({ text }) => text.trim() === letter);
    return own.length === 0 ? Math.min(least, rest) : own.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
  });
}

/** All results in their order, a few at a time. Rejects with the first failure, after which nothing more is begun. */
async function inGroups<Item, Result>(items: readonly Item[], run: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += atATime) {
    results.push(...(await Promise.all(items.slice(at, at + atATime).map(run))));
  }
  return results;
}
