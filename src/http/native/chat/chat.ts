import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { respond } from '../../answer/answer.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import { modelOf } from '../../fields/model-header.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream, workErrorAnswers } from '../../mount/describe.ts';
import { generateData, nativeForm, settingsToCore, toConversation } from '../generate/generate.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toChatAnswer } from './from-core.ts';
import { type NativeChatBody, nativeChatAnswer, nativeChatBody } from './schema.ts';

const names: FieldNames = { ...sharedNames, 'input.messages': 'messages', 'input.*': 'messages' };

/** `POST /chat`, as the second seed specification has it. */
export function addNativeChatRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/chat', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Answer a conversation of plain texts',
      description: 'With "stream": true it answers with the items of /generate/stream.',
      tags: [mount.tag],
      body: nativeChatBody,
      response: {
        200: {
          description: 'The answer, or its stream',
          content: { 'application/json': { schema: nativeChatAnswer }, ...eventStream(generateData(mount)) },
        },
        ...workErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => respond(deps, request, reply, toAsked(request, deps, mount)),
  });
}

function toAsked(
  { body, headers }: { body: NativeChatBody; headers: IncomingHttpHeaders },
  deps: RouteDeps,
  mount: NativeMount,
) {
  const settings = settingsToCore({ ...body, model: modelOf(body, headers) });
  return {
    chats: [{ ...settings, input: toConversation(body.messages) }] as const,
    names,
    formOf: nativeForm(deps, mount, headers, toChatAnswer),
  };
}
