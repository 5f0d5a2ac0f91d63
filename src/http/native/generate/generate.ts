import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { respond, respondStream } from '../../answer/answer.ts';
import { modelOf } from '../../fields/model-header.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream, workErrorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { addWebSocket, type Session } from '../sockets/sockets.ts';
import { generateNames } from './field-names.ts';
import { nativeForm } from './form.ts';
import { toGenerateAnswer } from './from-core.ts';
import { type GenerateBody, generateAnswer, generateBody, generateData } from './schema.ts';
import { createGenerateSession } from './session.ts';
import { generateToCore } from './to-core.ts';

export { generateNames } from './field-names.ts';
export { factsOf, nativeForm } from './form.ts';
export { type AnswerFacts, toAbout, toContent, toGenerateAnswer } from './from-core.ts';
export {
  finishReason,
  generateAnswer,
  generateData,
  nativeToolCall,
  nativeUsage,
  promptFields,
  settingFields,
} from './schema.ts';
export { generateToCore, settingsToCore, toConversation } from './to-core.ts';

const socketDescription = `A WebSocket. The client sends \`{"action":"generate","id"?,"prompt",…}\` with the fields of
/generate, \`{"action":"cancel","id"?}\` or \`{"action":"ping"}\`; the server sends messages of \`type\` "token"
(\`content\`, \`index\`), "reasoning", "done" (\`usage\`, \`finish_reason\`, \`latency_ms\`, \`model\`), "error" (\`error\`) and
"pong", each with the \`id\` that the client gave. Up to eight generations may run on one socket.`;

/** `POST /generate` and `POST /generate/stream`, and `GET /ws/generate` for a WebSocket. */
export function addGenerateRoutes(
  instance: FastifyInstance,
  deps: RouteDeps,
  mount: NativeMount,
  sessions: Set<Session>,
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = workErrorAnswers(mount.errorSchema);
  const stream = eventStream(generateData(mount));

  app.post('/generate', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Answer a prompt',
      description: 'With "stream": true it answers as /generate/stream does.',
      tags,
      body: generateBody,
      response: {
        200: {
          description: 'The answer, or its stream',
          content: { 'application/json': { schema: generateAnswer }, ...stream },
        },
        ...errors,
      },
    },
    handler: async (request, reply) => respond(deps, request, reply, toAsked(request, deps, mount)),
  });

  app.post('/generate/stream', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Answer a prompt as an event stream',
      description: 'Each item carries a piece of text; the last one has "finished": true and the usage.',
      tags,
      body: generateBody,
      response: {
        200: { description: 'The stream', content: stream },
        ...errors,
      },
    },
    handler: async (request, reply) => respondStream(deps, request, reply, toAsked(request, deps, mount)),
  });

  addWebSocket(app, { mount, sessions }, '/ws/generate', {
    schema: { summary: 'Generate over a WebSocket', description: socketDescription },
    open: (socket, request) => createGenerateSession(socket, deps, request),
  });
}

function toAsked(
  { body, headers }: { body: GenerateBody; headers: IncomingHttpHeaders },
  deps: RouteDeps,
  mount: NativeMount,
) {
  return {
    chats: [generateToCore({ ...body, model: modelOf(body, headers) })] as const,
    names: generateNames,
    formOf: nativeForm(deps, mount, headers, toGenerateAnswer),
  };
}
