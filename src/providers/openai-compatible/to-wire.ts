import type { ChatInput, ChatRequest, OutputFormat, Sampling, ToolChoice, ToolDefinition } from '../../core/chat.ts';
import type { Warning } from '../../core/events.ts';
import { toWireMessages } from './messages-to-wire.ts';
import { createNotes, type Notes } from './notes.ts';
import type { ServiceRow } from './presets.ts';
import { reasoningToWire } from './reasoning-to-wire.ts';
import type { CallSignatures } from './signatures.ts';
import type { Json } from './wire.ts';

/** A request as the service wants it. */
export interface WireRequest {
  /** Under the base address. */
  path: '/chat/completions' | '/completions';
  body: Json;
  /** What of the request has no place in it. */
  warnings: readonly Warning[];
}

interface WireDeps {
  /** Id of the provider. */
  provider: string;
  /** As it counts for the model. */
  row: ServiceRow;
  /** The service's own name of it. */
  model: string;
  /** Most tokens of an answer; null: unknown. */
  maxOutputTokens: number | null;
  signatures: CallSignatures;
}

type ChatPrompt = Extract<ChatInput, { type: 'chat' }>;
type TextPrompt = Extract<ChatInput, { type: 'text' }>;

/**
 * A request of the core as a body that streams. Every field of it is in the body, or named in `warnings`, or refused with
 * `not_supported` where the answer would be a wrong one without it. Same request, same bytes: keys have a fixed order, and
 * what grows from turn to turn (messages) is only added to.
 */
export function toWire(request: ChatRequest, deps: WireDeps): WireRequest {
  const { row, model } = deps;
  const notes = createNotes(deps.provider);
  const { input } = request;
  const prompt = input.type === 'chat' ? chatFields(input, deps, notes) : textFields(input, row, notes);
  const isChat = input.type === 'chat';
  const body: Json = {
    model,
    ...prompt,
    ...tokenFields(request, isChat, deps, notes),
    ...samplingFields(request, row, notes),
    ...stopField(request.stop, row, notes),
    ...choicesField(request.choices, row, notes),
    ...formatFields(request.format, row, notes),
    ...logprobFields(request.logprobs, isChat, row, notes),
    ...(isChat ? reasoningFields(request, prompt, row, notes) : withoutReasoning(request, notes)),
    ...serviceFields(request, row, notes),
    stream: true,
    ...(row.streamUsage === 'asked' && { stream_options: { include_usage: true } }),
  };
  return {
    path: isChat ? '/chat/completions' : '/completions',
    body: { ...ownFields(request, body, notes), ...body },
    warnings: notes.warnings,
  };
}

/** Fields that only the dialect knows, where the core has said nothing under their names. */
function ownFields({ extra = {} }: ChatRequest, body: Json, notes: Notes): Json {
  for (const dialect of Object.keys(extra)) {
    if (dialect !== 'openai') notes.leftOut(`extra.${dialect}`, `knows no fields of ${dialect}.`);
  }
  return Object.fromEntries(Object.entries(extra.openai ?? {}).filter(([name]) => !(name in body)));
}

function chatFields(input: ChatPrompt, deps: WireDeps, notes: Notes): Json {
  const { row } = deps;
  if (input.template !== undefined && !row.template) {
    notes.refuse('input.template', 'takes no chat template in place of its own.');
  }
  const options = input.templateOptions;
  if (options && !row.templateOptions) notes.leftOut('input.templateOptions', 'takes no switches of a chat template.');
  const messages = toWireMessages(input.messages, { ...deps, notes });
  return {
    messages,
    ...prefillFields(input, messages, row, notes),
    ...toolFields(input, row, notes),
    ...(options && row.templateOptions && { chat_template_kwargs: options }),
    ...(input.template !== undefined && { chat_template: input.template }),
  };
}

function prefillFields({ continuesLast }: ChatPrompt, messages: Json[], row: ServiceRow, notes: Notes): Json {
  if (!continuesLast) return {};
  switch (row.prefill) {
    case 'continue_final_message':
      return { continue_final_message: true, add_generation_prompt: false };
    case 'partial':
      messages.push({ ...messages.pop(), partial: true });
      return {};
    case 'implied':
      return {};
    default:
      return notes.refuse('input.continuesLast', 'cannot go on with a message that is begun.');
  }
}

function toolFields(input: ChatPrompt, row: ServiceRow, notes: Notes): Json {
  if (input.tools.length === 0) return {};
  if (row.tools.choices.length === 0) notes.refuse('input.tools', 'calls no tools with this model.');
  const { choice, shown } = nearestChoice(input, row);
  if (shown.length === 0) return {};
  if (!row.tools.choices.includes(choice.type)) {
    notes.refuse('input.toolChoice', `cannot be held to ${choice.type === 'tool' ? 'one tool' : 'calling a tool'}.`);
  }
  const { parallelToolCalls } = input;
  if (parallelToolCalls === false && !row.tools.parallelSwitch) {
    notes.leftOut('input.parallelToolCalls', 'may call several tools at once.');
  }
  return {
    tools: shown.map(({ tool, place }) => toTool(tool, place, row, notes)),
    ...(choice.type !== 'auto' && { tool_choice: toWireChoice(choice) }),
    ...(parallelToolCalls !== undefined && row.tools.parallelSwitch && { parallel_tool_calls: parallelToolCalls }),
  };
}

/**
 * The choice in words that the service has, and the tools that it is shown: whom the model may not call it need not see,
 * where there is no other way to say so.
 */
function nearestChoice(
  { tools, toolChoice }: ChatPrompt,
  { tools: { choices } }: ServiceRow,
): { choice: ToolChoice; shown: { tool: ToolDefinition; place: number }[] } {
  const all = tools.map((tool, place) => ({ tool, place }));
  const only = (names: readonly string[]) => all.filter(({ tool }) => names.includes(tool.name));
  if (choices.includes(toolChoice.type)) return { choice: toolChoice, shown: all };
  if (toolChoice.type === 'none') return { choice: { type: 'auto' }, shown: [] };
  if (toolChoice.type === 'allowed') return { choice: { type: toolChoice.mode }, shown: only(toolChoice.names) };
  if (toolChoice.type === 'tool') {
    const isOneCall = choices.includes('required');
    return isOneCall
      ? { choice: { type: 'required' }, shown: only([toolChoice.name]) }
      : { choice: toolChoice, shown: all };
  }
  const [first] = all;
  const isOneTool = toolChoice.type === 'required' && all.length === 1 && choices.includes('tool');
  return { choice: isOneTool ? { type: 'tool', name: first!.tool.name } : toolChoice, shown: all };
}

function toTool(tool: ToolDefinition, index: number, row: ServiceRow, notes: Notes): Json {
  const { name, description, parameters, strict, cacheMark, extra = {} } = tool;
  const field = `input.tools.${index}`;
  if (cacheMark) notes.leftOut('input.tools.cacheMark', 'keeps prompts by itself and has no marks for it.');
  if (strict && !row.tools.strict) notes.leftOut(`${field}.strict`, 'does not hold arguments to their schema.');
  for (const dialect of Object.keys(extra)) {
    if (dialect !== 'openai') notes.leftOut(`${field}.extra.${dialect}`, `knows no fields of ${dialect}.`);
  }
  return {
    ...extra.openai,
    type: 'function',
    function: {
      name,
      ...(description !== undefined && { description }),
      ...(parameters && { parameters }),
      ...(strict !== undefined && row.tools.strict && { strict }),
    },
  };
}

function toWireChoice(choice: ToolChoice): unknown {
  if (choice.type === 'tool') return { type: 'function', function: { name: choice.name } };
  if (choice.type !== 'allowed') return choice.type;
  const tools = choice.names.map((name) => ({ type: 'function', function: { name } }));
  return { type: 'allowed_tools', allowed_tools: { mode: choice.mode, tools } };
}

function textFields({ prompt, suffix }: TextPrompt, row: ServiceRow, notes: Notes): Json {
  if (!row.endpoints.completions) notes.refuse('input', 'continues no plain text; it only knows conversations.');
  return { prompt, ...(suffix !== undefined && { suffix }) };
}

function tokenFields(
  { maxTokens }: ChatRequest,
  isChat: boolean,
  { row, maxOutputTokens }: WireDeps,
  notes: Notes,
): Json {
  if (maxTokens === undefined) return {};
  if (maxTokens === 0 && !row.takesNoTokens) notes.refuse('maxTokens', 'cannot read a prompt without an answer.');
  const most = maxOutputTokens ?? maxTokens;
  if (maxTokens > most) notes.leftOut('maxTokens', `gives at most ${most} tokens with this model.`);
  return { [isChat ? row.maxTokens : 'max_tokens']: Math.min(maxTokens, most) };
}

function samplingFields(request: ChatRequest, row: ServiceRow, notes: Notes): Json {
  const { xtc, dry, ...plain } = request.sampling;
  const fields: Json = {};
  const isBarred = !row.samplesWhileReasoning && thinks(request, row);
  for (const [key, value] of Object.entries(plain)) {
    if (value === undefined) continue;
    const name = row.sampling[key as keyof typeof plain];
    if (name === undefined) notes.leftOut(`sampling.${key}`, 'has no such setting.');
    else if (isBarred) notes.leftOut(`sampling.${key}`, 'takes no sampling settings while this model thinks.');
    else fields[name] = value;
  }
  for (const [key, value] of Object.entries({ xtc, dry })) {
    if (value && !row.takesLlamaSampling) notes.leftOut(`sampling.${key}`, 'has no such setting.');
  }
  return row.takesLlamaSampling ? { ...fields, ...llamaFields(request.sampling) } : fields;
}

function llamaFields({ xtc, dry }: Sampling): Json {
  return {
    ...(xtc && { xtc_probability: xtc.probability, xtc_threshold: xtc.threshold }),
    ...(dry && {
      dry_multiplier: dry.multiplier,
      ...(dry.base !== undefined && { dry_base: dry.base }),
      ...(dry.allowedLength !== undefined && { dry_allowed_length: dry.allowedLength }),
      ...(dry.lastTokens !== undefined && { dry_penalty_last_n: dry.lastTokens }),
      ...(dry.sequenceBreakers && { dry_sequence_breakers: dry.sequenceBreakers }),
    }),
  };
}

/** Whether the model will think, as far as the request and the row say. */
function thinks({ reasoning, input }: ChatRequest, row: ServiceRow): boolean {
  if (input.type === 'text') return false;
  if (!reasoning) return row.reasonsByItself === true;
  const canLeave = row.reasoning.by !== 'nothing' && !('off' in row.reasoning && row.reasoning.off !== 'none');
  return reasoning.mode === 'on' || (row.reasonsByItself === true && !canLeave);
}

function stopField(stop: readonly string[], row: ServiceRow, notes: Notes): Json {
  if (stop.length === 0) return {};
  if (stop.length > row.mostStops) notes.refuse('stop', `takes at most ${row.mostStops} stop texts with this model.`);
  return { stop };
}

function choicesField(choices: number | undefined, row: ServiceRow, notes: Notes): Json {
  if (choices === undefined || choices === 1) return {};
  if (choices > row.mostChoices) notes.refuse('choices', `gives at most ${row.mostChoices} answers at once.`);
  return { n: choices };
}

function formatFields(format: OutputFormat | undefined, row: ServiceRow, notes: Notes): Json {
  if (!format || format.type === 'text') return {};
  if (!row.formats.includes(format.type)) notes.refuse('format', `cannot hold an answer to a ${format.type} here.`);
  switch (format.type) {
    case 'json':
      return { response_format: { type: 'json_object' } };
    case 'json-schema': {
      const { name = 'answer', description, schema, strict = true } = format;
      const labelled = { name, ...(description !== undefined && { description }), schema, strict };
      return { response_format: { type: 'json_schema', json_schema: labelled } };
    }
    default:
      return row.grammar === 'grammar' ? { grammar: format.gbnf } : { structured_outputs: { grammar: format.gbnf } };
  }
}

function logprobFields(wish: ChatRequest['logprobs'], isChat: boolean, row: ServiceRow, notes: Notes): Json {
  if (!wish) return {};
  if (row.mostLogprobs === null) notes.refuse('logprobs', 'gives no log probabilities.');
  const most = isChat ? row.mostLogprobs : 5;
  if (wish.top > most) notes.leftOut('logprobs.top', `gives at most ${most} alternatives.`);
  const top = Math.min(wish.top, most);
  return isChat ? { logprobs: true, ...(top > 0 && { top_logprobs: top }) } : { logprobs: top };
}

function reasoningFields({ reasoning }: ChatRequest, prompt: Json, row: ServiceRow, notes: Notes): Json {
  if (!reasoning) return {};
  const fields = reasoningToWire(reasoning, row, notes);
  const options = fields['chat_template_kwargs'];
  // The client's own switches win over ours.
  const own = prompt['chat_template_kwargs'];
  return options && own ? { ...fields, chat_template_kwargs: { ...(options as Json), ...(own as Json) } } : fields;
}

function withoutReasoning({ reasoning }: ChatRequest, notes: Notes): Json {
  if (reasoning) notes.leftOut('reasoning', 'does not think where it continues a text.');
  return {};
}

/** What is between the client and the service beside the answer. */
function serviceFields(request: ChatRequest, row: ServiceRow, notes: Notes): Json {
  const { keepAliveMs, promptCache, prediction, endUserId, serviceTier, metadata } = request;
  const fields: Json = {};
  const place = (field: string, isTaken: boolean, value: unknown, message: string, wire: Json) => {
    if (value === undefined) return;
    if (isTaken) Object.assign(fields, wire);
    else notes.leftOut(field, message);
  };
  const { keepAlive } = row;
  place('keepAliveMs', keepAlive, keepAliveMs, 'decides by itself how long a model stays loaded.', {
    keep_alive: keepAliveMs === Number.POSITIVE_INFINITY ? -1 : (keepAliveMs ?? 0) / 1_000,
  });
  const canCache = row.promptCache === 'pin' || (row.promptCache === 'switch' && promptCache === 'none');
  place('promptCache', canCache, promptCache, 'decides by itself which prompts it keeps.', {
    cache_prompt: promptCache === 'pin' ? 'pin' : false,
  });
  place('prediction', row.prediction, prediction, 'makes no use of a prediction.', {
    prediction: { type: 'content', content: prediction },
  });
  place('endUserId', row.endUserId !== null, endUserId, 'is not told who asks.', { [row.endUserId ?? '']: endUserId });
  place('serviceTier', row.serviceTier, serviceTier, 'has no classes of service.', { service_tier: serviceTier });
  // Labels belong to stored answers: without `store` they are refused.
  const isStored = row.metadata && request.extra?.openai?.['store'] === true;
  place('metadata', isStored, metadata, 'keeps no labels of answers that it does not store.', { metadata });
  if (request.returnsTokens) notes.leftOut('returnsTokens', 'does not tell the tokens of its answer.');
  return fields;
}
