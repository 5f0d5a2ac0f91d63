import { z } from 'zod';
import { decisionLimits } from '../../core/decision.ts';
import { count } from '../fields/answer-values.ts';
import { keepAliveField } from '../fields/keep-alive.ts';
import { itemsOf } from '../fields/list-items.ts';
import { modelNameField } from '../fields/model-name.ts';

/** Questions that one request of System One may ask. */
export const mostQuestions = 64;

/** A text, or a value that is read as its JSON. */
const content = z.union([z.string().min(1), z.record(z.string(), z.unknown()), z.array(z.unknown())]);

const noul = z.object({
  type: z.literal('noul'),
  instructions: content,
  criteria: z.object({ true: z.string().nullish(), false: z.string().nullish() }).nullish(),
});

const choice = z.object({
  type: z.literal('choice'),
  instructions: content,
  criteria: z.record(z.string().min(1), z.union([content, z.null()])).meta({
    minProperties: decisionLimits.choices.least,
    maxProperties: decisionLimits.choices.most,
  }),
});

const { levels } = decisionLimits;

const score = z.object({
  type: z.literal('score'),
  instructions: content,
  criteria: z.array(content).min(levels.least).max(levels.most),
});

/** One question of System One. */
export const systemOneQuestion = z.discriminatedUnion('type', [noul, choice, score]);

/** Body of `/systemone`; unknown fields are dropped, null means absent. */
export const systemOneBody = z
  .object({
    model: modelNameField.nullish(),
    state: z
      .union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())])
      .meta({ description: 'What the questions are about: a text, or a value that is read as its JSON.' }),
    // Looked at one by one, each under its own name.
    questions: z.record(z.string(), z.unknown()).meta({
      override: {
        type: 'object',
        minProperties: 1,
        maxProperties: mostQuestions,
        additionalProperties: itemsOf(systemOneQuestion),
      },
      description: `1 to ${mostQuestions} questions by name: \`noul\` (yes or no), \`choice\` (\`criteria\`: option to description or null), \`score\` (\`criteria\`: levels, the lowest first).`,
    }),
    keep_alive: keepAliveField.nullish(),
  })
  .meta({
    id: 'SystemOneRequest',
    examples: [
      {
        model: 'smollm2-135m-instruct',
        state: 'My invoice shows the wrong amount.',
        questions: {
          angry: { type: 'noul', instructions: 'Is the writer angry?' },
          topic: { type: 'choice', instructions: 'What is it about?', criteria: { billing: 'invoices', sales: null } },
        },
      },
    ],
  });

const probability = z.number().min(0).max(1);
const byOption = z.record(z.string(), probability);
const labelMass = probability.meta({
  description: "Share of the model's distribution that fell on the options at all; low: the question did not fit.",
});

export const systemOneAnswer = z
  .object({
    model: z.string(),
    answers: z.record(
      z.string(),
      z.union([
        z.object({ type: z.literal('noul'), noul: probability, label_mass: labelMass }),
        z.object({
          type: z.literal('choice'),
          choice: z.string(),
          probabilities: byOption,
          confidence: probability,
          label_mass: labelMass,
        }),
        z.object({
          type: z.literal('score'),
          score: z.number().meta({ description: 'The expected level; 0 is the lowest.' }),
          legend: z.record(z.string(), z.unknown()),
          probabilities: byOption,
          confidence: probability,
          label_mass: labelMass,
        }),
      ]),
    ),
    refusals: z
      .record(z.string(), z.object({ reason: z.string(), label_mass: labelMass }))
      .optional()
      .meta({ description: 'Questions that have no answer, and why.' }),
    usage: z.object({ input_tokens: count, output_tokens: count }),
  })
  .meta({ id: 'SystemOneResponse' });
