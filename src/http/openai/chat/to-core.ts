import type { ChatInput, ChatRequest, ToolChoice, ToolDefinition } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toCommon } from '../objects/common-to-core.ts';
import { toMessages } from './messages.ts';
import type { ChatBody } from './schema.ts';

const maxToolBytes = 256 * 1024;

type FunctionDefinition = NonNullable<ChatBody['functions']>[number];

/** `field`: the one that says it. */
interface ChoiceWish {
  field: 'tool_choice' | 'function_call';
  choice: 'auto' | 'none' | 'required' | { name: string } | null;
}

/** A chat body in the words of the core. Throws `invalid_request` for what the schema cannot see or we do not have. */
export function chatToCore(body: ChatBody): ChatRequest {
  if (!body.logprobs && (body.top_logprobs ?? 0) > 0) {
    throw new AppError('invalid_request', '"top_logprobs" needs "logprobs": true.', { field: 'top_logprobs' });
  }
  const tools = isOlderForm(body) ? toTools(body.functions ?? [], 'functions') : toTools(offeredBy(body), 'tools');
  const input: ChatInput = {
    type: 'chat',
    messages: toMessages(body.messages),
    tools,
    toolChoice: toToolChoice(choiceOf(body), tools),
    // OpenAI's older form has no place for a second call.
    ...((body.parallel_tool_calls === false || isOlderForm(body)) && { parallelToolCalls: false }),
    ...(continuesLast(body) && { continuesLast: true }),
    ...(body.chat_template_kwargs && { templateOptions: body.chat_template_kwargs }),
  };
  return {
    ...toCommon(body, { maxTokens: body.max_completion_tokens ?? null, otherwise: null }),
    input,
    ...(body.logprobs && { logprobs: { top: body.top_logprobs ?? 0 } }),
  };
}

/** Whether tools are called "functions" here, as OpenAI once had it, in the answer too. */
export function isOlderForm({ functions, tools }: ChatBody): boolean {
  return (functions ?? []).length > 0 && (tools ?? []).length === 0;
}

function offeredBy({ functions, tools, function_call }: ChatBody): FunctionDefinition[] {
  const offered = tools ?? [];
  const older =
    (functions ?? []).length > 0
      ? 'functions'
      : typeof function_call === 'object' && function_call !== null
        ? 'function_call'
        : null;
  if (older === null) return offered.map((tool) => tool.function);
  const problem = offered.length > 0 ? 'cannot stand beside "tools"' : 'needs "functions"';
  throw new AppError('invalid_request', `"${older}" ${problem}.`, { field: older });
}

/** The wish for a call in the newer form. */
function choiceOf(body: ChatBody): ChoiceWish {
  if (!isOlderForm(body)) {
    const choice = body.tool_choice ?? null;
    return { field: 'tool_choice', choice: typeof choice === 'object' ? (choice?.function ?? null) : choice };
  }
  return { field: 'function_call', choice: body.function_call ?? null };
}

/** Whether the last message is to be gone on with. Throws `invalid_request` where it is none that can be. */
function continuesLast({ messages, continue_final_message, add_generation_prompt }: ChatBody): boolean {
  if (!continue_final_message) {
    if (add_generation_prompt !== false) return false;
    throw new AppError('invalid_request', '"add_generation_prompt": false needs "continue_final_message": true.', {
      field: 'add_generation_prompt',
    });
  }
  const last = messages.at(-1);
  if (last?.role === 'assistant' && !last.tool_calls?.length && !last.function_call) return true;
  throw new AppError(
    'invalid_request',
    '"continue_final_message" needs an assistant message without calls at the end.',
    {
      field: 'continue_final_message',
    },
  );
}

/** `list`: name of the field that has them. */
function toTools(tools: readonly FunctionDefinition[], list: 'tools' | 'functions'): ToolDefinition[] {
  if (tools.length > 0 && Buffer.byteLength(JSON.stringify(tools)) > maxToolBytes) {
    throw new AppError('invalid_request', `"${list}" is larger than ${maxToolBytes / 1024} KiB.`, { field: list });
  }
  const names = new Set<string>();
  return tools.map((definition, index) => {
    const field = list === 'tools' ? `tools.${index}.function` : `functions.${index}`;
    if (names.has(definition.name)) {
      const message = `"${field}.name" repeats the name "${definition.name}".`;
      throw new AppError('invalid_request', message, { field: `${field}.name` });
    }
    names.add(definition.name);
    const parameters = definition.parameters ?? null;
    // Without a type it may be said elsewhere, behind a `$ref` or in an `allOf`.
    const types = parameters?.['type'] === undefined ? null : [parameters['type']].flat();
    if (types !== null && !types.includes('object')) {
      throw new AppError('invalid_request', `"${field}.parameters" must be a JSON Schema of type object.`, {
        field: `${field}.parameters`,
      });
    }
    return {
      name: definition.name,
      ...(definition.description && { description: definition.description }),
      ...(parameters !== null && { parameters }),
    };
  });
}

function toToolChoice({ field, choice }: ChoiceWish, tools: ToolDefinition[]): ToolChoice {
  const list = field === 'tool_choice' ? 'tools' : 'functions';
  const needsTools = choice !== null && choice !== 'auto' && choice !== 'none';
  if (needsTools && tools.length === 0) {
    throw new AppError('invalid_request', `"${field}" needs "${list}".`, { field });
  }
  if (choice === null) return { type: 'auto' };
  if (typeof choice === 'string') return { type: choice };
  const { name } = choice;
  if (!tools.some((tool) => tool.name === name)) {
    throw new AppError('invalid_request', `"${field}" names "${name}", which is not in "${list}".`, { field });
  }
  return { type: 'tool', name };
}
