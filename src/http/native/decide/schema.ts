import { z } from 'zod';
import { decisionLimits } from '../../../core/decision.ts';
import { count } from '../../fields/answer-values.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { itemsOf } from '../../fields/list-items.ts';
import { modelNameField } from '../../fields/model-name.ts';

/** Questions that one request may ask. */
export const mostQuestions = 64;

const { choices, levels } = decisionLimits;
const text = z.string().min(1);
const option = z.union([text, z.strictObject({ label: text, description: text.optional() })]);
const name = z.string().min(1).max(256).optional();

/** One question in the native dialect. */
export const nativeQuestion = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('yes_no'), question: text, name, yes: text.optional(), no: text.optional() }),
  z.strictObject({
    type: z.literal('choice'),
    question: text,
    name,
    options: z.array(option).min(choices.least).max(choices.most),
  }),
  z.strictObject({
    type: z.literal('score'),
    question: text,
    name,
    levels: z.array(option).min(levels.least).max(levels.most),
  }),
]);

export type NativeQuestion = z.output<typeof nativeQuestion>;

/** Body of `/decide`. */
export const decideBody = z
  .strictObject({
    input: z
      .union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())])
      .meta({ description: 'What the questions are about: a text, or a value that is read as its JSON.' }),
    // Looked at one by one: a schema would collect a complaint for each of a million wrong ones.
    questions: z.array(z.unknown()).meta({
      override: {
        minItems: 1,
        maxItems: mostQuestions,
        items: itemsOf(nativeQuestion),
      },
      description: `1 to ${mostQuestions} questions: \`yes_no\` (\`yes\`, \`no\`: what they mean), \`choice\` (\`options\`), \`score\` (\`levels\`, the lowest first). An option is a text, or {"label", "description"}.`,
    }),
    model: modelNameField.optional(),
    keep_alive: keepAliveField.optional(),
  })
  .meta({
    id: 'DecideRequest',
    examples: [
      {
        input: 'My invoice shows the wrong amount.',
        questions: [
          { type: 'yes_no', question: 'Is the writer angry?' },
          { type: 'choice', name: 'topic', question: 'What is it about?', options: ['billing', 'sales'] },
        ],
      },
    ],
  });

const probability = z.number().min(0).max(1);
const shared = {
  name: z.string().nullable(),
  label_mass: probability.meta({
    description: "Share of the model's distribution that fell on the options at all; low: the question did not fit.",
  }),
};
const byOption = z.array(z.object({ label: z.string(), probability }));
const confidence = probability.meta({ description: '0: all options are equally likely, 1: one is certain.' });

export const decideAnswer = z
  .object({
    answers: z.array(
      z.union([
        z.object({ type: z.literal('yes_no'), probability, confidence, ...shared }),
        z.object({ type: z.literal('choice'), choice: z.string(), probabilities: byOption, confidence, ...shared }),
        z.object({
          type: z.literal('score'),
          score: z.number().meta({ description: 'The expected level; 0 is the lowest.' }),
          probabilities: byOption,
          confidence,
          ...shared,
        }),
        z.object({ type: z.literal('refused'), reason: z.string(), ...shared }),
      ]),
    ),
    usage: z.object({
      prompt_tokens: count,
      completion_tokens: count,
      total_tokens: count,
      cached_prompt_tokens: count,
    }),
    model: z.string(),
    provider: z.string(),
    request_id: z.string(),
  })
  .meta({ id: 'DecideResponse' });
