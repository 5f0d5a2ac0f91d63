import { z } from 'zod';
import type { ChatRequest, OutputFormat, ReasoningWish } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toPromptCache } from '../../fields/cache-prompt.ts';
import { droppedIn } from '../../fields/dropped.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { toSampling, toStop } from '../../fields/sampling.ts';
import { labelsOf } from '../objects/response-format.ts';
import { type Conversation, type PlacedItem, toConversation } from './conversation.ts';
import type { GroupedName } from './namespaces.ts';
import {
  type InputItem,
  type PromptRequest,
  type ResponseRequest,
  reasoningField,
  textField,
  textFormat,
} from './schema.ts';
import type { Sealed } from './sealed.ts';
import { type OfferedTools, type ToolKind, toToolChoice, toTools } from './tools.ts';

/** A request in the words of the core, and what its answer needs to know of it. */
export interface AskedResponse {
  chat: ChatRequest;
  names: FieldNames;
  kinds: ReadonlyMap<string, ToolKind>;
  groups: ReadonlyMap<string, GroupedName>;
  /** What changes nothing, for `x-hearth-ignored`; fields at the top of the body aside. */
  ignored: string[];
}

const responseNames: FieldNames = {
  ...sharedNames,
  maxTokens: 'max_output_tokens',
  'logprobs.top': 'top_logprobs',
  logprobs: 'include',
  format: 'text.format',
  reasoning: 'reasoning',
  serviceTier: 'service_tier',
  'input.messages': 'input',
  'input.tools': 'tools',
  'input.toolChoice': 'tool_choice',
  'input.templateOptions': 'chat_template_kwargs',
  'input.*': 'input',
};

const includes = ['reasoning.encrypted_content', 'message.output_text.logprobs'] as const;

/** Whether the answer is to hold what `include` names. */
export function includesIn(body: Pick<ResponseRequest, 'include'>, name: (typeof includes)[number]): boolean {
  return body.include?.includes(name) ?? false;
}

/**
 * What decides the prompt, in the words of the core. `items`: the whole conversation, that of earlier responses included.
 * Throws `invalid_request` that names the field.
 */
export function promptToCore(body: PromptRequest, items: readonly PlacedItem[], sealed: Sealed): AskedResponse {
  const conversation = toConversation(withInstructions(body, items), sealed);
  const tools = toTools([
    ...(body.tools ?? []).map((tool, index) => ({ tool, field: `tools.${index}` })),
    ...conversation.tools,
  ]);
  const reasoning = conversation.reasoning ?? body.reasoning;
  const text = conversation.text ?? body.text;
  const format = toFormat(text);
  return {
    chat: {
      model: body.model ?? 'default',
      input: {
        type: 'chat',
        messages: conversation.messages,
        tools: tools.definitions,
        toolChoice: toToolChoice(body.tool_choice, tools),
        ...(body.parallel_tool_calls === false && { parallelToolCalls: false }),
        ...(body.chat_template_kwargs && { templateOptions: body.chat_template_kwargs }),
      },
      sampling: {},
      stop: [],
      ...(format.type !== 'text' && { format }),
      ...toReasoning(reasoning),
    },
    names: { ...responseNames, ...conversation.names },
    kinds: tools.kinds,
    groups: tools.groups,
    ignored: [...ignoredOf(body, conversation, tools), ...(text?.verbosity ? ['text.verbosity'] : [])],
  };
}

/** As `promptToCore`, with how to answer. */
export function responseToCore(body: ResponseRequest, items: readonly PlacedItem[], sealed: Sealed): AskedResponse {
  const asked = promptToCore(body, items, sealed);
  const hasLogprobs = includesIn(body, 'message.output_text.logprobs');
  const endUserId = body.safety_identifier ?? body.user ?? null;
  const keepAlive = body.keep_alive ?? null;
  const unknown = (body.include ?? []).filter((name) => !includes.some((known) => known === name));
  return {
    ...asked,
    chat: {
      ...asked.chat,
      sampling: toSampling(body),
      stop: toStop(body.stop),
      ...toPromptCache(body.cache_prompt),
      ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
      ...(hasLogprobs && { logprobs: { top: body.top_logprobs ?? 0 } }),
      ...(typeof body.max_output_tokens === 'number' && { maxTokens: body.max_output_tokens }),
      ...(body.metadata && { metadata: body.metadata }),
      ...(endUserId !== null && { endUserId }),
    },
    ignored: [
      ...asked.ignored,
      ...unknown.map((name) => `include.${name}`),
      ...(!hasLogprobs && (body.top_logprobs ?? 0) > 0 ? ['top_logprobs'] : []),
    ],
  };
}

/** The input of a body as items. */
export function toItems(input: string | readonly InputItem[]): InputItem[] {
  if (typeof input !== 'string') return [...input];
  return [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }];
}

/** Throws `invalid_request` for fields that bind an answer and that there are not, `not_found` for what is not kept. */
export function refuseUnkept(body: PromptRequest & Partial<Pick<ResponseRequest, 'prompt' | 'context_management'>>) {
  if ((body.conversation ?? null) !== null) {
    if (body.previous_response_id) {
      throw new AppError('invalid_request', '"conversation" and "previous_response_id" exclude each other.', {
        field: 'conversation',
      });
    }
    throw new AppError('not_found', 'There are no conversations on this server.', {
      field: 'conversation',
      fix: 'Go on from a response with "previous_response_id".',
    });
  }
  const refusals = {
    prompt: 'Stored prompts are not supported.',
    context_management: 'The server does not compact a conversation by itself.',
  } as const;
  for (const field of ['prompt', 'context_management'] as const) {
    const value = body[field] ?? null;
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    throw new AppError('invalid_request', refusals[field], {
      field,
      ...(field === 'context_management' && { fix: 'Use "truncation": "auto", or POST /v1/responses/compact.' }),
    });
  }
}

function withInstructions({ instructions }: PromptRequest, items: readonly PlacedItem[]): PlacedItem[] {
  if (!instructions) return [...items];
  return [{ item: { type: 'message', role: 'system', content: instructions }, field: 'instructions' }, ...items];
}

function toReasoning(reasoning: PromptRequest['reasoning']): { reasoning?: ReasoningWish } {
  const effort = reasoning?.effort ?? null;
  if (effort === null) return {};
  return { reasoning: effort === 'none' ? { mode: 'off' } : { mode: 'on', effort } };
}

function toFormat(text: PromptRequest['text']): OutputFormat {
  const format = text?.format ?? null;
  if (format === null || format.type === 'text') return { type: 'text' };
  if (format.type === 'json_object') return { type: 'json' };
  const { schema } = format;
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) {
    return { type: 'json-schema', schema, ...labelsOf(format) };
  }
  const problem = schema === undefined ? 'is required' : 'must be a JSON Schema, as an object';
  throw new AppError('invalid_request', `"text.format.schema" ${problem}.`, { field: 'text.format.schema' });
}

/** What is known of the fields that are kept as they came, since the answer shows them again. */
const knownWishes = z.object({
  reasoning: z.object(reasoningField.shape).nullish(),
  text: z.object({ ...textField.shape, format: z.object(textFormat.shape).nullish() }).nullish(),
});

/** Fields of those that a newer client may send. */
function ignoredOf({ reasoning, text }: PromptRequest, conversation: Conversation, tools: OfferedTools): string[] {
  const wishes = { reasoning: reasoning ?? null, text: text ?? null };
  return [...droppedIn(wishes, knownWishes.parse(wishes)), ...conversation.ignored, ...tools.ignored];
}
