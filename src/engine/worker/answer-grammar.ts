import type { OutputFormat, ToolDefinition } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import { anyJsonGrammar, schemaToGrammar } from './grammar/json-schema.ts';
import type { OutputParser } from './output-parser.ts';
import type { GrammarSource } from './sequence.ts';

/**
 * The grammar of a whole answer, or null for free text. `nowMs`: a steady clock, for the budget of the conversion.
 * Throws `invalid_request` naming the keyword of the schema that cannot be kept.
 */
export function formatGrammar(format: OutputFormat, nowMs: () => number): string | null {
  if (format.type === 'text') return null;
  return format.type === 'json' ? anyJsonGrammar() : schemaToGrammar(format.schema, { now: nowMs });
}

/** Binds the answer from its first token, once reasoning is over. */
export function bindAnswer(gbnf: string, parser: OutputParser): GrammarSource {
  return { current: () => (parser.inReasoning ? null : { gbnf, id: 0 }) };
}

/** How much of a call the prompt has written already: nothing, its tag, or all up to the arguments of one tool. */
export type CallOpening = 'none' | 'tag' | 'arguments';

/**
 * The grammar of what follows `<tool_call>`: one of the tools with arguments that keep to its schema, and the closing
 * tag. A schema that cannot be kept leaves its tool's arguments at any JSON object.
 */
export function toolCallGrammar(tools: readonly ToolDefinition[], opening: CallOpening, nowMs: () => number): string {
  const calls = tools.map((tool) => ({
    type: 'object',
    // With an id of its own, a tool's references still point into its own schema.
    properties: { name: { const: tool.name }, arguments: keepable(tool, nowMs) },
    required: ['name', 'arguments'],
    additionalProperties: false,
  }));
  const schema = opening === 'arguments' && tools[0] ? keepable(tools[0], nowMs) : { anyOf: calls };
  const closing = opening === 'arguments' ? '"}" "\\n"? "</tool_call>"' : '"\\n"? "</tool_call>"';
  const leading = opening === 'none' ? '"\\n"? ' : '';
  const text = schemaToGrammar(schema, { field: 'tools', now: nowMs });
  // The root stands last and names the value; the tags go around it.
  return text.replace(/^root ::= (.*)\n$/m, (_line, value: string) => `root ::= ${leading}${value} ${closing}\n`);
}

/**
 * Binds each call from its tag to its end. A call is left free when the token that completed the tag already carried a
 * part of what follows: the grammar has not seen that part.
 */
export function bindToolCalls(gbnf: string, parser: OutputParser, opening: CallOpening): GrammarSource {
  let calls = 0;
  /** Calls that had ended when `current` was decided: one token may end a call and open the next. */
  let ended = 0;
  let current: 'outside' | 'free' | number = 'outside';
  return {
    current() {
      const written = parser.openCall;
      if (written === null) {
        current = 'outside';
        return null;
      }
      if (current === 'outside' || ended !== parser.toolCallCount) {
        ended = parser.toolCallCount;
        const begunByPrompt = opening !== 'none' && calls === 0;
        current = written === '' || begunByPrompt ? ++calls : 'free';
      }
      return current === 'free' ? null : { gbnf, id: current };
    },
  };
}

function keepable(tool: ToolDefinition, nowMs: () => number): unknown {
  const schema = { type: 'object', ...tool.parameters, $id: `tool:${tool.name}` };
  try {
    schemaToGrammar(schema, { now: nowMs });
    return schema;
  } catch (error) {
    if (error instanceof AppError) return { type: 'object' };
    throw error;
  }
}
