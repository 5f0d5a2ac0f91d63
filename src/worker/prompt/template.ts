import { createHash } from 'node:crypto';
import type { ToolDefinition } from '../../core/chat.ts';
import { textOf } from '../../core/content.ts';
import { AppError } from '../../core/errors.ts';
import type { TemplateMessage, ToolCall } from '../conversation/conversation.ts';
import type { ToolCallForm } from '../families/families.ts';
import {
  adaptations,
  callsAsText,
  detectForm,
  fallbackTemplate,
  genericForm,
  type ReasoningTags,
  reasoningTags,
  singleCalls,
  toolsAsText,
  withToolInstructions,
} from '../families/families.ts';
import { createTemplate, JinjaError, type JinjaTemplate } from '../jinja/jinja.ts';
import { breakUp, countMatches, literalPattern, unusedMark } from './special-tokens.ts';

/** Largest rendered prompt in characters; a template that writes more is broken or hostile. */
const maxRenderedCharacters = 4 * 1024 * 1024;

interface RenderInput {
  messages: TemplateMessage[];
  tools: ToolDefinition[];
  /** Switches of the template's own, such as `enable_thinking`; they never replace what is rendered. */
  options?: Record<string, unknown>;
  /** How long a rendering may take, where that is less than usual. */
  milliseconds?: number;
}

/** A prompt in pieces: inside a piece control tokens are real, none can form across two. */
interface RenderedPrompt {
  pieces: string[];
}

export interface ChatTemplate {
  /** The template itself. */
  readonly source: string;
  /**
   * What stands in for a template that the file does not have, or why the file's own cannot be used; null otherwise.
   * For the model's record.
   */
  readonly warning: string | null;
  /** How tool calls are written. */
  readonly form: ToolCallForm;
  readonly reasoning: ReasoningTags;
  /**
   * Throws `invalid_request` with the template's own words when it refuses the conversation in every form,
   * `invalid_model_file` where the template is at fault: it cannot be read, or fails on a plain greeting too.
   */
  render(input: RenderInput): RenderedPrompt;
  /** What an assistant said, in pieces as in a prompt. */
  piecesOf(said: string): string[];
}

/**
 * Compiles a model's chat template. Text that comes from the client can never become a control token: each place
 * where such a text stands is broken by a private-use character before rendering, and the prompt is cut there after it.
 * `userDefinedTexts`: added tokens such as `<tool_response>`; those that the template itself writes are broken in
 * everything but the assistant's own words, so that no user can fake them. `architecture` and `tokenizerModel`: as the
 * file has them, for one without a template.
 * It never throws: with a template that cannot be read a model still continues raw text.
 */
export function createChatTemplate(deps: {
  source: string | null;
  architecture: string;
  tokenizerModel: string;
  controlTexts: readonly string[];
  userDefinedTexts: readonly string[];
  bosText: string;
  eosText: string;
}): ChatTemplate {
  const fallback =
    deps.source === null
      ? fallbackTemplate({ ...deps, specialTexts: [...deps.controlTexts, ...deps.userDefinedTexts] })
      : null;
  const source = deps.source ?? fallback?.source ?? '';
  const compiled = compile(source);
  const ownForm = detectForm(source);
  // gpt-oss leaves all but the first call of a message out.
  const takesOneCall = source.includes('tool_calls[0]') && !/\bin message(?:\.|\[["'])tool_calls/.test(source);
  const markup = deps.userDefinedTexts.filter((text) => text.trim() !== '' && source.includes(text));
  const controlPattern = literalPattern(deps.controlTexts);
  const untrustedPattern = literalPattern([...deps.controlTexts, ...markup]);
  const idsFor = callIdsOf(source);
  const writing = { joinsThinking: /["']thinking["'] in message\b/.test(source) };

  const renderMessages = (
    messages: readonly TemplateMessage[],
    { tools, options = {}, milliseconds }: Omit<RenderInput, 'messages'>,
    mark: string,
    noTools: null | [] = null,
  ): string => {
    const neutral = (text: string) => breakUp(text, untrustedPattern, mark);
    const own = (text: string) => breakUp(text, controlPattern, mark);
    const mapId = idsFor(messages);
    if (compiled instanceof JinjaError) throw compiled;
    const variables = {
      ...(mapStrings(options, neutral) as Record<string, unknown>),
      messages: messages.map((message) => toTemplateMessage(message, { ...writing, neutral, own, mapId })),
      tools: tools.length === 0 ? noTools : tools.map((tool) => toTemplateTool(tool, neutral)),
      add_generation_prompt: true,
      bos_token: deps.bosText,
      eos_token: deps.eosText,
    };
    const rendered = compiled.render(variables, {
      ...(milliseconds !== undefined && { milliseconds }),
      // A mark that a template prints within a list stays the mark.
      invisible: mark,
      // What a filter leaves out of a text must not bring the halves of a control token together.
      rejoined: (text, ...from) =>
        countMatches(text, untrustedPattern) > from.reduce((sum, part) => sum + countMatches(part, untrustedPattern), 0)
          ? breakUp(text, untrustedPattern, mark)
          : text,
    });
    if (rendered.length > maxRenderedCharacters) {
      throw new AppError('template_failed', "The model's chat template writes more than 4 MiB for this conversation.");
    }
    return rendered;
  };
  /** What the template is given: its own tools and calls, or ours as text where it knows none. */
  const prepare = ({ messages, tools }: RenderInput): { messages: TemplateMessage[]; tools: ToolDefinition[] } => {
    if (!ownForm) return { messages: withToolInstructions(toolsAsText(messages), tools), tools: [] };
    const { writeCalls } = ownForm;
    if (takesOneCall) return { messages: singleCalls(messages) ?? messages, tools };
    if (!writeCalls || source.includes('tool_calls')) return { messages, tools };
    return {
      messages: messages.map((message) => (message.role === 'assistant' ? callsAsText(message, writeCalls) : message)),
      tools,
    };
  };

  /** Renders a conversation in the first of its forms that the template takes. Throws what the template throws. */
  const renderAny = (input: RenderInput): RenderedPrompt => {
    const mark = unusedMark(JSON.stringify([input.messages, input.tools, input.options]));
    const prepared = prepare(input);
    const { messages: _asGiven, ...given } = input;
    const wishes = { ...given, tools: prepared.tools };
    let failure: unknown;
    let incomplete: string | null = null;
    for (const messages of adaptations(prepared.messages)) {
      const attempted = attempt(() => renderMessages(messages, wishes, mark));
      if (attempted.ok) {
        if (hasSystemTexts(attempted.text.replaceAll(mark, ''), prepared.messages)) {
          return { pieces: attempted.text.split(mark) };
        }
        incomplete ??= attempted.text;
        continue;
      }
      failure ??= attempted.error;
      if (isFinal(attempted.error)) throw attempted.error;
    }
    // A template may put a system text in words of its own.
    if (incomplete !== null) return { pieces: incomplete.split(mark) };
    // A template for tools alone walks through a list that is not there.
    if (wishes.tools.length === 0) {
      const attempted = attempt(() => renderMessages(prepared.messages, wishes, mark, []));
      if (attempted.ok) return { pieces: attempted.text.split(mark) };
    }
    throw failure;
  };

  const fault =
    compiled instanceof JinjaError
      ? { text: `cannot be read: ${firstLine(compiled)}`, isFinal: true }
      : faultOnGreeting(renderAny, deps);
  const faulty = (cause?: unknown) =>
    new AppError('invalid_model_file', `The chat template in the model's file ${fault?.text}.`, {
      fix: 'Use the raw text endpoints, or a file with a working template.',
      details: { reason: compiled instanceof JinjaError ? 'template_syntax' : 'template_probe' },
      cause,
    });

  return {
    source,
    warning:
      fault !== null
        ? `no chat: the chat template in the file ${fault.text}`
        : fallback && `the file has no chat template; ${fallback.name} is used${fallback.isGuess ? ' as a guess' : ''}`,
    form: ownForm ?? genericForm,
    reasoning: reasoningTags(source),
    piecesOf(said) {
      const mark = unusedMark(said);
      return breakUp(said, controlPattern, mark).split(mark);
    },
    render(input) {
      if (fault?.isFinal) throw faulty();
      let rendered: RenderedPrompt;
      try {
        rendered = renderAny(input);
      } catch (error) {
        if (error instanceof AppError) throw error;
        if (error instanceof JinjaError && error.kind === 'TemplateError') {
          throw new AppError(
            'invalid_request',
            `The model's chat template refuses this conversation: ${firstLine(error)}`,
            { field: 'input.messages', cause: error },
          );
        }
        if (fault !== null) throw faulty(error);
        if (error instanceof JinjaError && error.kind === 'BudgetError') {
          throw new AppError(
            'template_failed',
            `The model's chat template does not render this conversation: ${firstLine(error)}.`,
            { cause: error },
          );
        }
        throw new AppError(
          'invalid_request',
          `The model's chat template fails on this conversation: ${firstLine(error)}`,
          {
            field: 'input.messages',
            cause: error,
          },
        );
      }
      if (fault !== null && isNothing(rendered, deps)) throw faulty();
      return rendered;
    },
  };
}

const greeting: RenderInput = {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
  tools: [],
  // It takes a millisecond; the server waits two seconds before it gives a file up.
  milliseconds: 1_000,
};

/**
 * What is wrong with a template that cannot render a plain greeting, or null. One that refuses it in words of its own
 * may want a conversation of another kind. `isFinal`: it is not to be tried again.
 */
function faultOnGreeting(
  render: (input: RenderInput) => RenderedPrompt,
  frame: { bosText: string; eosText: string },
): { text: string; isFinal: boolean } | null {
  try {
    return isNothing(render(greeting), frame) ? { text: 'renders nothing for a plain greeting', isFinal: false } : null;
  } catch (error) {
    const kind = error instanceof JinjaError ? error.kind : null;
    if (kind === 'TemplateError') return null;
    return { text: `fails on a plain greeting: ${firstLine(error)}`, isFinal: kind === 'BudgetError' };
  }
}

/** True for a prompt without a text: nothing, or no more than the marks of its beginning and end. */
function isNothing({ pieces }: RenderedPrompt, { bosText, eosText }: { bosText: string; eosText: string }): boolean {
  const text = pieces.join('');
  return (
    [bosText, eosText].reduce((rest, mark) => (mark === '' ? rest : rest.replaceAll(mark, '')), text).trim() === ''
  );
}

/** True where other words for the same conversation would not help. */
const isFinal = (error: unknown): boolean =>
  error instanceof AppError ||
  (error instanceof JinjaError && ['BudgetError', 'TemplateSyntaxError'].includes(error.kind));

function compile(source: string): JinjaTemplate | JinjaError {
  try {
    return createTemplate(source);
  } catch (error) {
    if (error instanceof JinjaError) return error;
    throw error;
  }
}

function attempt(render: () => string): { ok: true; text: string } | { ok: false; error: unknown } {
  try {
    return { ok: true, text: render() };
  } catch (error) {
    return { ok: false, error };
  }
}

/** Some templates silently leave out system messages that are not the first, or all of them. */
function hasSystemTexts(prompt: string, messages: readonly TemplateMessage[]): boolean {
  return messages.every((message) => message.role !== 'system' || prompt.includes(textOf(message.content).trim()));
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!.slice(0, 200);
}

type Neutraliser = (text: string) => string;

interface MessageChanges {
  /** Reasoning stands in a field `thinking`, and beside calls nothing else is said. */
  joinsThinking: boolean;
  neutral: Neutraliser;
  own: Neutraliser;
  mapId: (id: string) => string;
}

function toTemplateMessage(message: TemplateMessage, changes: MessageChanges): Record<string, unknown> {
  const { neutral, mapId } = changes;
  switch (message.role) {
    case 'assistant':
      return {
        role: 'assistant',
        ...saidBy(message, changes),
        ...(message.toolCalls?.length && {
          tool_calls: message.toolCalls.map((call) => toTemplateCall(call, changes)),
        }),
      };
    case 'tool':
      return {
        role: 'tool',
        content: neutral(textOf(message.content)),
        tool_call_id: mapId(message.toolCallId),
        ...(message.name !== undefined && { name: neutral(message.name) }),
      };
    default:
      return { role: message.role, content: neutral(textOf(message.content)) };
  }
}

function saidBy(
  { content, reasoning, toolCalls }: Extract<TemplateMessage, { role: 'assistant' }>,
  { own, joinsThinking }: MessageChanges,
): Record<string, string> {
  const text = own(textOf(content));
  if (reasoning === undefined) return { content: text };
  const thought = own(reasoning);
  if (!joinsThinking) return { content: text, reasoning_content: thought };
  if (!toolCalls?.length || text === '') return { content: text, thinking: thought };
  return { content: '', thinking: `${thought}\n\n${text}` };
}

function toTemplateCall(call: ToolCall, { neutral, mapId }: MessageChanges): Record<string, unknown> {
  return {
    id: mapId(call.id),
    type: 'function',
    function: { name: neutral(call.name), arguments: mapStrings(call.arguments, neutral) },
  };
}

function toTemplateTool(tool: ToolDefinition, neutral: Neutraliser): Record<string, unknown> {
  return {
    type: 'function',
    function: {
      name: neutral(tool.name),
      ...(tool.description !== undefined && { description: neutral(tool.description) }),
      parameters: mapStrings(tool.parameters ?? { type: 'object', properties: {} }, neutral),
    },
  };
}

/** How a template wants the ids of calls in a conversation. */
function callIdsOf(source: string): (messages: readonly TemplateMessage[]) => (id: string) => string {
  // Mistral's templates refuse any other length.
  if (source.includes('length != 9')) return () => nineCharacterId;
  // Kimi K2 names the tool by the id of its call, and counts all of them.
  if (source.includes('<|tool_call_argument_begin|>')) return numberedIds;
  return () => (id) => id;
}

function numberedIds(messages: readonly TemplateMessage[]): (id: string) => string {
  const calls = messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []));
  const ids = new Map(calls.map(({ id, name }, index) => [id, `functions.${name}:${index}`]));
  return (id) => ids.get(id) ?? id;
}

/** A short id in place of a longer one, the same for the same. */
function nineCharacterId(id: string): string {
  if (/^[A-Za-z0-9]{9}$/.test(id)) return id;
  return createHash('sha256').update(id).digest('hex').slice(0, 9);
}

/** Applies `change` to every string of a JSON value, keys included. */
function mapStrings(value: unknown, change: Neutraliser): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), mapStrings(item, change)]));
  }
  return value;
}
