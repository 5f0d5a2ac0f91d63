import { z } from 'zod';
import { decisionLimits } from '../../../core/decision.ts';
import { count } from '../../fields/answer-values.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { itemsOf } from '../../fields/list-items.ts';
import { modelNameField } from '../../fields/model-name.ts';

/** What a question asks: a text, or parts, which are looked at in `input.ts`. */
const instructions = z.union([z.string().min(1), z.array(z.record(z.string(), z.unknown())).min(1)]);
const name = z.string().max(256).nullish();
const { choices, levels } = decisionLimits;

const predicate = z.object({ type: z.literal('predicate'), instructions, name });

const choice = z.object({
  type: z.literal('choice'),
  instructions,
  name,
  choices: z
    .array(z.object({ value: z.union([z.string().min(1), z.boolean()]), description: z.string().nullish() }))
    .min(choices.least)
    .max(choices.most),
});

const score = z.object({
  type: z.literal('score'),
  instructions,
  name,
  levels: z
    .array(z.object({ label: z.string().min(1), description: z.string().nullish() }))
    .min(levels.least)
    .max(levels.most),
});

/** One question in OpenAI's shape. */
export const openaiQuestion = z.discriminatedUnion('type', [predicate, choice, score]);

export type OpenAiQuestion = z.output<typeof openaiQuestion>;

/** Fields that are checked and change nothing here. */
export const ignoredFields = ['prompt_cache_key', 'prompt_cache_options', 'safety_identifier'] as const;

/** Body of `/v1/decisions`; unknown fields are dropped, null means absent. */
export const decisionBody = z
  .object({
    model: modelNameField.nullish(),
    // Both lists are looked at item by item: a schema would collect a complaint for each of a million wrong ones.
    input: z.union([z.string(), z.array(z.unknown())]).meta({
      description: 'What the questions are about: a text, or messages, tool calls and their outputs.',
    }),
    questions: z.array(z.unknown()).meta({
      override: {
        minItems: 1,
        maxItems: decisionLimits.questions,
        items: itemsOf(openaiQuestion),
      },
      description: `1 to ${decisionLimits.questions} questions: \`predicate\` (yes or no), \`choice\` (\`choices\`: value and description), \`score\` (\`levels\`: label and description, the lowest first).`,
    }),
    prompt_cache_key: z.string().nullish(),
    prompt_cache_options: z.record(z.string(), z.unknown()).nullish(),
    safety_identifier: z.string().nullish(),
    keep_alive: keepAliveField.nullish(),
  })
  .meta({
    id: 'DecisionRequest',
    examples: [
      {
        model: 'smollm2-135m-instruct',
        input: 'My invoice shows the wrong amount.',
        questions: [{ type: 'predicate', name: 'angry', instructions: 'The writer is angry.' }],
      },
    ],
  });

export type DecisionBody = z.output<typeof decisionBody>;

const probability = z.number().min(0).max(1);
const shared = {
  name: z.string().nullable(),
  label_mass: probability.meta({
    description: "Own: the share of the model's distribution that fell on the options at all.",
  }),
};

export const decisionAnswer = z
  .object({
    answers: z.array(
      z.union([
        z.object({ type: z.literal('predicate'), probability, ...shared }),
        z.object({
          type: z.literal('choice'),
          choice: z.union([z.string(), z.boolean()]),
          confidence: probability,
          probabilities: z.array(z.object({ value: z.union([z.string(), z.boolean()]), probability })),
          ...shared,
        }),
        z.object({
          type: z.literal('score'),
          score: z.number().meta({ description: 'The expected level; 0 is the lowest.' }),
          confidence: probability,
          probabilities: z.array(z.object({ label: z.string(), value: count, probability })),
          ...shared,
        }),
        z.object({ type: z.literal('refusal'), reason: z.string().meta({ description: 'Own: why.' }), ...shared }),
      ]),
    ),
    model: z.string(),
    usage: z.object({
      input_tokens: count,
      input_tokens_details: z.object({ cached_tokens: count, cache_write_tokens: count }),
      output_tokens: count,
      output_tokens_details: z.object({ reasoning_tokens: count }),
      total_tokens: count,
    }),
  })
  .meta({ id: 'DecisionResponse' });
