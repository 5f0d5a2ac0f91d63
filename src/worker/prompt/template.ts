import { createHash } from 'node:crypto';
import { Template } from '@huggingface/jinja';
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
  hermesForm,
  type ReasoningTags,
  reasoningTags,
  toolsAsText,
  withToolInstructions,
} from '../families/families.ts';
import { breakUp, literalPattern, unusedMark } from './special-tokens.ts';

/** Largest rendered prompt in characters; a template that writes more is broken or hostile. */
const maxRenderedCharacters = 4 * 1024 * 1024;

interface RenderInput {
  messages: TemplateMessage[];
  tools: ToolDefinition[];
  /** Switches of the template's own, such as `enable_thinking`; they never replace what is rendered. */
  options?: Record<string, unknown>;
}

/** A prompt in pieces: inside a piece control tokens are real, none can form across two. */
interface RenderedPrompt {
  pieces: string[];
}

export interface ChatTemplate {
  /** The template itself. */
  readonly source: string;
  /** What stands in for a template that the file does not have, or null; for the model's record. */
  readonly warning: string | null;
  /** How tool calls are written. */
  readonly form: ToolCallForm;
  readonly reasoning: ReasoningTags;
  /** Throws `invalid_request` with the template's own words when it refuses the conversation in every form. */
  render(input: RenderInput): RenderedPrompt;
}

/**
 * Compiles a model's chat template. Text that comes from the client can never become a control token: each place
 * where such a text stands is broken by a private-use character before rendering, and the prompt is cut there after it.
 * `userDefinedTexts`: added tokens such as `<tool_response>`; those that the template itself writes are broken in
 * everything but the assistant's own words, so that no user can fake them. `architecture` and `tokenizerModel`: as the
 * file has them, for one without a template.
 * Throws `invalid_model_file` when the template does not compile.
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
  const template = compile(source);
  const ownForm = detectForm(source);
  const markup = deps.userDefinedTexts.filter((text) => text.trim() !== '' && source.includes(text));
  const controlPattern = literalPattern(deps.controlTexts);
  const untrustedPattern = literalPattern([...deps.controlTexts, ...markup]);
  // Mistral's templates refuse any other length.
  const mapId = source.includes('length != 9') ? nineCharacterId : (id: string) => id;

  const renderMessages = (
    messages: readonly TemplateMessage[],
    { tools, options = {} }: Omit<RenderInput, 'messages'>,
    mark: string,
    noTools: null | [] = null,
  ): string => {
    const neutral = (text: string) => breakUp(text, untrustedPattern, mark);
    const own = (text: string) => breakUp(text, controlPattern, mark);
    const rendered = template.render({
      ...(mapStrings(options, neutral) as Record<string, unknown>),
      messages: messages.map((message) => toTemplateMessage(message, { neutral, own, mapId })),
      tools: tools.length === 0 ? noTools : tools.map((tool) => toTemplateTool(tool, neutral)),
      add_generation_prompt: true,
      bos_token: deps.bosText,
      eos_token: deps.eosText,
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
    if (!writeCalls || source.includes('tool_calls')) return { messages, tools };
    return {
      messages: messages.map((message) => (message.role === 'assistant' ? callsAsText(message, writeCalls) : message)),
      tools,
    };
  };

  return {
    source,
    warning:
      fallback && `the file has no chat template; ${fallback.name} is used${fallback.isGuess ? ' as a guess' : ''}`,
    form: ownForm ?? hermesForm,
    reasoning: reasoningTags(source),
    render(input) {
      const mark = unusedMark(JSON.stringify([input.messages, input.tools, input.options]));
      const prepared = prepare(input);
      const wishes = { tools: prepared.tools, ...(input.options && { options: input.options }) };
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
        failure = attempted.error;
        if (failure instanceof AppError) throw failure;
      }
      // A template may put a system text in words of its own.
      if (incomplete !== null) return { pieces: incomplete.split(mark) };
      // A template for tools alone walks through a list that is not there.
      if (wishes.tools.length === 0) {
        const attempted = attempt(() => renderMessages(prepared.messages, wishes, mark, []));
        if (attempted.ok) return { pieces: attempted.text.split(mark) };
      }
      throw new AppError(
        'invalid_request',
        `The model's chat template refuses this conversation: ${firstLine(failure)}`,
        { field: 'input.messages', cause: failure },
      );
    },
  };
}

function compile(source: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    throw new AppError('invalid_model_file', "The model's chat template cannot be read.", {
      details: { reason: 'template_syntax' },
      cause: error,
    });
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
  neutral: Neutraliser;
  own: Neutraliser;
  mapId: (id: string) => string;
}

function toTemplateMessage(message: TemplateMessage, changes: MessageChanges): Record<string, unknown> {
  const { neutral, own, mapId } = changes;
  switch (message.role) {
    case 'assistant':
      return {
        role: 'assistant',
        content: own(textOf(message.content)),
        ...(message.reasoning !== undefined && { reasoning_content: own(message.reasoning) }),
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
