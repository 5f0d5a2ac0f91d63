import { type DecisionQuestion, decisionLimits } from '../../core/decision.ts';
import { decide, ordersOf, type Reading } from '../../core/decision-shares.ts';
import { optionsOf, wordQuestion } from '../../core/decision-wording.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import type { WorkerAnswer, WorkerDecisionRequest, WorkerItem } from '../../ipc/protocol.ts';
import type { Task } from '../answer/answer.ts';
import type { Runtime } from '../llama/llama.ts';
import type { ChatTemplate } from '../prompt/prompt.ts';
import { commonLength } from '../sequence/sequence.ts';
import { createEmptyReadings } from './empty-readings.ts';
import { createDecisionPrompts, type DecisionPrompts, tooLong } from './prompts.ts';
import { createScoringTask, type Step } from './scoring-task.ts';

/** Closed questions, answered from what a model would say next; nothing is generated. */
export interface Decisions {
  /** Answers by `answer`, once, also after a cancel in the loop. */
  decide(id: number, request: WorkerDecisionRequest): void;
  /** Takes what concerns decisions out of what a step has to tell. */
  take(items: WorkerItem[]): WorkerItem[];
}

/**
 * Decisions on the slots of a batch loop, one slot at a time for each request. `loop`: asked for anew each time.
 * `portionTokens`: as `steadyPortionTokens`.
 */
export function createDecisions(deps: {
  runtime: Pick<Runtime, 'tokenize' | 'tokenizeFurther' | 'contextTokens'>;
  template: Pick<ChatTemplate, 'render' | 'reasoning'>;
  portionTokens: number;
  loop: () => { add(task: Task): void };
  answer: (answer: WorkerAnswer) => void;
}): Decisions {
  const { contextTokens } = deps.runtime;
  const prompts = createDecisionPrompts({ ...deps, most: decisionLimits.choices.most });
  const empty = createEmptyReadings();
  const open = new Set<number>();

  const refuse = (id: number, error: AppError) => {
    open.delete(id);
    deps.answer({ type: 'refused', id, error: error.toWire() });
  };

  /** Reads what the steps give behind a beginning. */
  const read = (
    id: number,
    owner: string | null,
    shared: readonly number[],
    steps: readonly Step[],
    done: (readings: Reading[], cachedTokens: number) => void,
  ) => {
    const { portionTokens } = deps;
    deps
      .loop()
      .add(createScoringTask({ id, owner, shared, steps, portionTokens, done, refuse: (error) => refuse(id, error) }));
  };

  const readAll = (id: number, { state, questions, owner }: WorkerDecisionRequest) => {
    const shared = prompts.shared(state);
    const steps = questions.flatMap((question, index) => stepsOf(question, index, prompts));
    const ofQuestion = (index: number) =>
      steps.map((step, at) => ({ ...step, at })).filter((step) => step.question === index);
    const longest = shared.length + Math.max(...steps.map(({ tokens }) => tokens.length));
    if (longest > contextTokens - 1) throw tooLong(longest, contextTokens);
    const about = () =>
      read(id, owner, shared, steps, (readings, cachedTokens) => {
        open.delete(id);
        const decisions = questions.map((_, index) => {
          const own = ofQuestion(index);
          return decide(
            own.map(({ at }) => readings[at]!),
            own.map(({ tokens }) => empty.get(tokens)!),
          );
        });
        deps.answer({ type: 'decided', id, decisions, promptTokens: shared.length + tokensOf(steps), cachedTokens });
      });
    // A question repeated within one request is read of nothing once.
    const isUnknown = questions.map((_, index) => ofQuestion(index).some(({ tokens }) => empty.get(tokens) === null));
    const unknown = [
      ...new Map(
        steps.filter(({ question }) => isUnknown[question]).map((step) => [step.tokens.join(), step]),
      ).values(),
    ];
    if (unknown.length === 0) return about();
    // First, so that the state of the input is the one that the slot keeps.
    read(id, owner, prompts.shared(''), unknown, (readings) => {
      for (const [index, { tokens }] of unknown.entries()) empty.set(tokens, readings[index]!);
      about();
    });
  };

  return {
    decide(id, request) {
      try {
        open.add(id);
        readAll(id, request);
      } catch (error) {
        refuse(id, toAppError(error));
      }
    },
    take: (items) =>
      items.filter((item) => {
        if (!open.has(item.id)) return true;
        if ('error' in item) refuse(item.id, AppError.fromWire(item.error));
        return false;
      }),
  };
}

/** A question in each of its orders, by its options' own words where those can be labels, else by letters. */
function stepsOf(question: DecisionQuestion, index: number, prompts: DecisionPrompts): Step[] {
  const options = optionsOf(question).map(({ label }) => label);
  const words = prompts.labels().words(options);
  const letters = words ? [] : prompts.labels().letters().slice(0, options.length);
  if (!words && letters.length < options.length) {
    throw new AppError(
      'invalid_request',
      `The question has ${options.length} options; of the labels that are one token at the answer's place, this model has ${letters.length}.`,
      { field: `questions.${index}`, fix: 'Ask with fewer options, or ask another model.' },
    );
  }
  const texts = words ? null : letters.map(({ text }) => text);
  // A row rounds otherwise in a portion of another length, so which order is read first must not hang on the one that the
  // options came in.
  const orders = ordersOf(options.length)
    .map((order) => ({ order, tokens: prompts.question(wordQuestion(question, order, texts)) }))
    .sort((one, other) => compareTokens(one.tokens, other.tokens));
  const stemTokens = Math.min(...orders.map(({ tokens }) => commonLength(orders[0]!.tokens, tokens)));
  return orders.map(({ order, tokens }) => ({
    question: index,
    order,
    tokens,
    stemTokens,
    labels: words ? order.map((place) => words[place]!) : letters,
  }));
}

/** Which of two lists comes first; 0 for equal ones only. */
function compareTokens(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((token, index) => token !== other[index]);
  return at < 0 ? one.length - other.length : one[at]! - (other[at] ?? -1);
}

/** Tokens of questions, what the orders of one have in common counted once. */
function tokensOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { question, tokens, stemTokens }, at) => {
    const isRead = steps[at - 1]?.question === question;
    return sum + tokens.length - (isRead ? stemTokens : 0);
  }, 0);
}
