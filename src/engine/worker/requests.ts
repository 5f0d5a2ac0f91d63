import { randomBytes } from 'node:crypto';
import type { ChatInput } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { WorkerRequest } from '../ipc/protocol.ts';
import { createJob, type Job } from './job.ts';
import { contextLengthError } from './loop.ts';
import { createOutputParser } from './output-parser.ts';
import type { Runtime } from './runtime.ts';
import { createStopMatcher } from './stop-matcher.ts';
import type { ChatTemplate } from './template.ts';
import { createTextStream } from './text-stream.ts';

/** Largest prompt in characters that is tokenised at all, per context token: no token of any vocabulary is longer on average. */
const maxCharactersPerToken = 64;

/**
 * Makes a job of a request: renders, tokenises, counts.
 * Throws `context_length_exceeded` with both numbers before anything is decoded, `not_supported` for tools that the
 * model's template cannot write, `invalid_request` when the template refuses the conversation.
 */
export function prepareJob(
  id: number,
  request: WorkerRequest,
  deps: { runtime: Runtime; template: ChatTemplate; nowMs: () => number },
): Job {
  const { runtime, template } = deps;
  const { pieces, answerPrefix, tools } = renderInput(request.input, template);
  const characters = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (characters > runtime.contextTokens * maxCharactersPerToken) {
    // Certainly too long: the count is a floor, said as such by the message of the larger number.
    throw contextLengthError(Math.ceil(characters / maxCharactersPerToken), runtime.contextTokens);
  }
  const prompt = runtime.tokenize(pieces);
  if (prompt.length === 0) throw new AppError('invalid_request', 'The prompt is empty.', { field: 'prompt' });
  // One cell of the context stays free, and at least one token has to be generated.
  if (prompt.length > runtime.contextTokens - 1) throw contextLengthError(prompt.length, runtime.contextTokens);
  return createJob({
    id,
    model: request.model,
    prompt,
    sampling: request.sampling,
    maxTokens: request.maxTokens,
    isEnd: runtime.isEnd,
    text: createTextStream(runtime.vocabulary, runtime.detokenize),
    stops: createStopMatcher(request.stop),
    parser: createOutputParser({
      tools,
      startsInReasoning: request.input.type === 'chat' && /<think>\s*$/.test(pieces.at(-1) ?? ''),
      newCallId: () => `call_${randomBytes(12).toString('hex')}`,
    }),
    answerPrefix,
    nowMs: deps.nowMs,
  });
}

function renderInput(
  input: ChatInput,
  template: ChatTemplate,
): { pieces: string[]; answerPrefix: string; tools: boolean } {
  // Raw text is the client's own prompt format: control tokens in it are meant.
  if (input.type === 'text') return { pieces: [input.prompt], answerPrefix: '', tools: false };
  const tools = input.toolChoice.type === 'none' ? [] : input.tools;
  if (tools.length > 0 && !template.supportsTools) {
    throw new AppError('not_supported', "This model's chat template has no tool calls that this server can read.", {
      field: 'tools',
      fix: 'Leave out tools, or use a model whose template writes <tool_call>, such as Qwen 2.5 or the built-in model.',
    });
  }
  const { pieces } = template.render({ messages: input.messages, tools });
  const answerPrefix = tools.length === 0 ? '' : toolCallOpening(input.toolChoice);
  const last = pieces.length - 1;
  return {
    pieces: pieces.map((piece, index) => (index === last ? piece + answerPrefix : piece)),
    answerPrefix,
    tools: tools.length > 0,
  };
}

/** A required call is begun for the model: it can only go on with the name, or with the arguments of the named tool. */
function toolCallOpening(choice: Extract<ChatInput, { type: 'chat' }>['toolChoice']): string {
  if (choice.type === 'required') return '<tool_call>\n{"name": "';
  if (choice.type === 'tool') return `<tool_call>\n{"name": ${JSON.stringify(choice.name)}, "arguments": `;
  return '';
}
