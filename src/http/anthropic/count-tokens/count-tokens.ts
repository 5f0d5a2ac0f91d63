import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import type { ChatRequest } from '../../../core/chat.ts';
import { addIgnored, askWhole, relaysOriginals, tellEstimated, withOriginal } from '../../answer/answer.ts';
import { count } from '../../fields/answer-values.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer } from '../../mount/describe.ts';
import { anthropicError, workErrorAnswers } from '../objects/answer-schema.ts';
import { conversationFields } from '../objects/body.ts';
import { editContext } from '../objects/context-edits.ts';
import { toConversation } from '../objects/conversation.ts';
import { names } from '../objects/field-names.ts';
import { tellLeftOut } from '../objects/left-out.ts';
import { refusedFields, refuseUnkept } from '../objects/refused-fields.ts';
import { versionOf } from '../objects/version.ts';

export const countBody = z.object({ ...conversationFields, ...refusedFields }).meta({
  id: 'AnthropicCountTokensRequest',
  examples: [{ model: 'default', messages: [{ role: 'user', content: 'What is Hearth?' }] }],
});

export const countAnswer = z
  .object({
    input_tokens: count,
    context_management: z
      .object({ original_input_tokens: count.meta({ description: 'Before the edits.' }) })
      .optional()
      .meta({ description: 'Where the request has it.' }),
  })
  .meta({ id: 'AnthropicCountTokens' });

/** `POST /messages/count_tokens`: exactly what `POST /messages` would count for the same conversation. */
export function addCountTokensRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/messages/count_tokens', {
    config: {
      scope: 'inference',
      startsWork: true,
      relays: { dialect: 'anthropic', path: '/v1/messages/count_tokens' },
    },
    attachValidation: true,
    preHandler: relaysOriginals(deps),
    schema: {
      summary: 'Count the tokens of a conversation',
      description:
        'Exactly, with system prompt, tools and template; a model of this machine is loaded for it. Of a provider that counts none it is an estimate, which the header x-hearth-estimated says.',
      tags,
      body: countBody,
      response: { 200: jsonAnswer(countAnswer, 'The tokens'), ...workErrorAnswers(anthropicError) },
    },
    handler: async (request, reply) =>
      request.mayRelay ? relayCount(request, reply, deps) : countTokens(request.body, request, reply, deps),
  });
}

/** Counted by whoever takes the request as it came, and told in its own words; where nobody there counts, it is estimated. */
async function relayCount(
  request: FastifyRequest<{ Body: z.infer<typeof countBody> }>,
  reply: FastifyReply,
  deps: RouteDeps,
): Promise<z.infer<typeof countAnswer> | FastifyReply> {
  const asked = withOriginal(request, () => {
    const { chat } = toConversation(request.body, { leavesOut: deps.config.server.dropAttribution });
    return { ...chat, sampling: {}, stop: [] };
  });
  const counted = await askWhole(deps, request, reply, names, (context) => deps.gateway.count(asked, context));
  tellEstimated(reply, counted, 'input_tokens');
  if (counted.answer === undefined) return { input_tokens: counted.promptTokens };
  return reply.type('application/json').send(Buffer.from(JSON.stringify(counted.answer)));
}

/** The size of a conversation, as an answer has it. */
export async function countTokens(
  body: z.infer<typeof countBody>,
  request: FastifyRequest,
  reply: FastifyReply,
  deps: RouteDeps,
): Promise<z.infer<typeof countAnswer>> {
  versionOf(request);
  refuseUnkept(body);
  const { chat, ignored, leftOut } = toConversation(body, { leavesOut: deps.config.server.dropAttribution });
  addIgnored(reply, ignored);
  tellLeftOut(reply, leftOut);
  const asked: ChatRequest = { ...chat, sampling: {}, stop: [] };
  const { promptTokens, originalTokens, ...counted } = await askWhole(deps, request, reply, names, async (context) => {
    const countOf = async (one: ChatRequest) => (await deps.gateway.count(one, context)).promptTokens;
    const edited = await editContext(asked, body.context_management?.edits ?? [], countOf);
    return { ...(await deps.gateway.count(edited.chat, context)), originalTokens: edited.originalTokens };
  });
  tellEstimated(reply, counted, 'input_tokens');
  return {
    input_tokens: promptTokens,
    ...(body.context_management && {
      context_management: { original_input_tokens: originalTokens ?? promptTokens },
    }),
  };
}
