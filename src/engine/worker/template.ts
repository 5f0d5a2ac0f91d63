import { Template } from '@huggingface/jinja';
import type { ChatMessage, ToolCall, ToolDefinition } from '../../core/chat.ts';
import { textOf } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';

/** ChatML, for files without a template: the most common form, and harmless where it does not fit. */
const fallbackTemplate =
  "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor -%}" +
  "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}";

/** Largest rendered prompt in characters; a template that writes more is broken or hostile. */
const maxRenderedCharacters = 4 * 1024 * 1024;

export interface RenderInput {
  messages: ChatMessage[];
  tools: ToolDefinition[];
}

/** A prompt in pieces: inside a piece control tokens are real, across the seams none can form. */
export interface RenderedPrompt {
  pieces: string[];
}

export interface ChatTemplate {
  /** The file has no template and ChatML stands in. */
  readonly isFallback: boolean;
  /** The template writes tools and reads calls in the `<tool_call>` form that the output parser knows. */
  readonly supportsTools: boolean;
  /** Throws `invalid_request` with the template's own words when it refuses the conversation. */
  render(input: RenderInput): RenderedPrompt;
}

/**
 * Compiles a model's chat template. Text that comes from the client can never become a control token: each place
 * where such a text stands is broken by a private-use character before rendering, and the prompt is cut there after it.
 * `userDefinedTexts`: added tokens such as `<tool_response>`; those that the template itself writes are broken in
 * everything but the assistant's own words, so that no user can fake them.
 * Throws `invalid_model_file` when the template does not compile.
 */
export function createChatTemplate(deps: {
  source: string | null;
  controlTexts: readonly string[];
  userDefinedTexts: readonly string[];
  bosText: string;
  eosText: string;
}): ChatTemplate {
  const source = deps.source ?? fallbackTemplate;
  const template = compile(source);
  const markup = deps.userDefinedTexts.filter((text) => text.trim() !== '' && source.includes(text));
  const controlPattern = literalPattern(deps.controlTexts);
  const untrustedPattern = literalPattern([...deps.controlTexts, ...markup]);

  const renderOnce = (messages: ChatMessage[], tools: ToolDefinition[], mark: string): string => {
    const neutral = (text: string) => breakUp(text, untrustedPattern, mark);
    const own = (text: string) => breakUp(text, controlPattern, mark);
    const rendered = template.render({
      messages: messages.map((message) => toTemplateMessage(message, neutral, own)),
      tools: tools.length === 0 ? null : tools.map((tool) => toTemplateTool(tool, neutral)),
      add_generation_prompt: true,
      bos_token: deps.bosText,
      eos_token: deps.eosText,
    });
    if (rendered.length > maxRenderedCharacters) {
      throw new AppError('template_failed', "The model's chat template writes more than 4 MiB for this conversation.");
    }
    return rendered;
  };

  return {
    isFallback: deps.source === null,
    supportsTools: source.includes('<tool_call>') && /\btools\b/.test(source),
    render({ messages, tools }) {
      const mark = unusedMark(JSON.stringify([messages, tools]));
      const first = attempt(() => renderOnce(messages, tools, mark));
      if (first.ok) return { pieces: first.text.split(mark) };
      // Gemma 2 and others know no system role: its text then leads the first user turn.
      const merged = mergeSystem(messages);
      const second = merged ? attempt(() => renderOnce(merged, tools, mark)) : first;
      if (second.ok) return { pieces: second.text.split(mark) };
      if (second.error instanceof AppError) throw second.error;
      throw new AppError(
        'invalid_request',
        `The model's chat template refuses this conversation: ${firstLine(second.error)}`,
        {
          field: 'messages',
          cause: second.error,
        },
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

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0]!.slice(0, 200);
}

/** The conversation with a leading system message put before the first user text; null when there is none. */
function mergeSystem(messages: ChatMessage[]): ChatMessage[] | null {
  const [system, next, ...rest] = messages;
  if (system?.role !== 'system' || next?.role !== 'user') return null;
  return [{ role: 'user', content: [...system.content, { type: 'text', text: '\n\n' }, ...next.content] }, ...rest];
}

type Neutraliser = (text: string) => string;

function toTemplateMessage(message: ChatMessage, neutral: Neutraliser, own: Neutraliser): Record<string, unknown> {
  switch (message.role) {
    case 'assistant':
      return {
        role: 'assistant',
        content: own(textOf(message.content)),
        ...(message.reasoning !== undefined && { reasoning_content: own(message.reasoning) }),
        ...(message.toolCalls?.length && {
          tool_calls: message.toolCalls.map((call) => toTemplateCall(call, neutral)),
        }),
      };
    case 'tool':
      return {
        role: 'tool',
        content: neutral(textOf(message.content)),
        tool_call_id: message.toolCallId,
        ...(message.name !== undefined && { name: neutral(message.name) }),
      };
    default:
      return { role: message.role, content: neutral(textOf(message.content)) };
  }
}

function toTemplateCall(call: ToolCall, neutral: Neutraliser): Record<string, unknown> {
  return {
    id: call.id,
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

/** Applies `change` to every string of a JSON value, keys included. */
function mapStrings(value: unknown, change: Neutraliser): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), mapStrings(item, change)]));
  }
  return value;
}

/** A pattern that finds any of the texts as they stand, the longest first; null when there are none. */
function literalPattern(texts: readonly string[]): RegExp | null {
  if (texts.length === 0) return null;
  const sorted = [...new Set(texts)].sort((a, b) => b.length - a.length);
  return new RegExp(sorted.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'gu');
}

/** Puts `mark` after the first character of every match, overlapping ones included. */
function breakUp(text: string, pattern: RegExp | null, mark: string): string {
  if (!pattern) return text;
  let result = '';
  let copied = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const cut = match.index + (match[0].codePointAt(0)! > 0xffff ? 2 : 1);
    result += text.slice(copied, cut) + mark;
    copied = cut;
    pattern.lastIndex = cut;
  }
  return result + text.slice(copied);
}

/** A private-use character that the conversation does not contain. */
function unusedMark(conversation: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const mark = String.fromCharCode(code);
    if (!conversation.includes(mark)) return mark;
  }
  throw new AppError('invalid_request', 'The messages use every private-use character of Unicode.', {
    field: 'messages',
  });
}
