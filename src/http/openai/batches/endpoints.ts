import type { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { validationError } from '../../fields/validation.ts';
import { chatBody, chatToCore } from '../chat/chat.ts';
import { completionBody, completionToCore } from '../completions/completions.ts';
import { decisionBody, decisionToCore } from '../decisions/decisions.ts';
import { embeddingBody, embeddingToCore } from '../embeddings/embeddings.ts';
import { refuseUnkept, responseBody } from '../responses/responses.ts';

type Body = Readonly<Record<string, unknown>>;

/** What a batch may ask for. */
interface BatchEndpoint {
  /** Looks at a body as its route would, as far as that can be told without a model. Throws `invalid_request`. */
  check(body: Body): void;
  /** What many requests have in common stands first, and then what is their own. */
  partsOf(body: Body): readonly [common: unknown, own: unknown];
  /** What is set where a body does not say. */
  defaults?: Body;
  /** Whether bodies may pass as they came to a provider of this dialect. */
  mayRelay: boolean;
}

function checked<Schema extends z.ZodType>(schema: Schema, toCore: (body: z.output<Schema>) => unknown) {
  return (body: Body): void => {
    const result = schema.safeParse(body);
    if (!result.success) throw validationError(result.error.issues);
    toCore(result.data);
  };
}

/** By the address that lines of an input file name. */
export const endpoints: Readonly<Record<string, BatchEndpoint>> = {
  '/v1/chat/completions': {
    check: checked(chatBody, chatToCore),
    partsOf: ({ messages, tools }) => {
      const [first, ...rest] = Array.isArray(messages) ? messages : [];
      return [[tools, first], rest];
    },
    mayRelay: true,
  },
  '/v1/completions': {
    check: checked(completionBody, completionToCore),
    partsOf: ({ prompt }) => [null, prompt],
    mayRelay: true,
  },
  '/v1/responses': {
    check: checked(responseBody, (body) => {
      refuseUnkept(body);
      if (body.background) throw notHere('background');
    }),
    partsOf: ({ instructions, tools, input }) => [[instructions, tools], input],
    // Ten thousand answers of a night are not to push out those that people go on from.
    defaults: { store: false },
    mayRelay: true,
  },
  '/v1/embeddings': {
    check: checked(embeddingBody, embeddingToCore),
    partsOf: ({ input }) => [null, input],
    mayRelay: false,
  },
  '/v1/decisions': {
    check: checked(decisionBody, decisionToCore),
    // The input is read first, so questions about one input share it.
    partsOf: ({ input, questions }) => [null, [input, questions]],
    mayRelay: false,
  },
};

/** Throws `invalid_request` for what makes no sense where nobody waits. */
export function refuseStream(body: Body): void {
  if ((body['stream'] ?? false) !== false) throw notHere('stream');
}

function notHere(field: string): AppError {
  return new AppError('invalid_request', `"${field}" is not possible in a batch.`, { field, fix: 'Leave it out.' });
}
