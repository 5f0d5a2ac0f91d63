import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/core/events.ts';
import { unknownTimings, unknownUsage } from '../../../src/core/usage.ts';
import { type CheckedParts, createAnswerCheck } from '../../../src/worker/answer/answer-check.ts';
import { closedJson } from '../../../src/worker/answer/closed-json.ts';

const finish = (reason: 'stop' | 'length' | 'tool_calls' = 'stop'): StreamEvent => ({
  type: 'finish',
  reason,
  rawReason: null,
  stopSequence: null,
  usage: unknownUsage,
  timings: unknownTimings,
});
const text = (piece: string): StreamEvent => ({ type: 'text-delta', blockId: 0, text: piece });
const call = (name: string, pieces: readonly string[], isWhole = true): StreamEvent[] => [
  { type: 'tool-call-start', blockId: 1, id: 'call_1', name },
  ...pieces.map((argumentsText): StreamEvent => ({ type: 'tool-call-delta', blockId: 1, argumentsText })),
  ...(isWhole ? [{ type: 'tool-call-end', blockId: 1 } as const] : []),
];

const tags = { type: 'object', properties: { tags: { type: 'array', uniqueItems: true } } };
const formatOf = (schema: object): CheckedParts => ({ format: { type: 'json-schema', schema }, tools: [] });

/** What each event shows: the broken keyword and the place of a repeated item. */
function findings(parts: CheckedParts, events: readonly StreamEvent[]): (string | null)[] {
  const check = createAnswerCheck(parts);
  return events.map((event) => {
    const found = check.read(event);
    return found && `${found.violation.keyword} ${found.repeated}`;
  });
}

describe('the check of an answer', () => {
  it('says at the end what a text has broken', () => {
    const events = [text('{"a": '), text('3}'), finish()];
    expect(findings(formatOf({ properties: { a: { not: { const: 3 } } } }), events)).toEqual([null, null, 'not null']);
    expect(findings(formatOf({ properties: { a: { not: { const: 4 } } } }), events)).toEqual([null, null, null]);
  });

  it('says of a repeated item as soon as it is whole', () => {
    const events = [text('{"tags": ["a", "ab"'), text(', "ab"'), text(','), text(' "c"]}'), finish()];
    expect(findings(formatOf(tags), events).slice(0, 3)).toEqual([null, null, 'uniqueItems 2']);
  });

  it('leaves an answer alone that was cut off', () => {
    const schema = { properties: { a: { not: { const: 3 } } } };
    expect(findings(formatOf(schema), [text('{"a": 3}'), finish('length')])).toEqual([null, null]);
    expect(findings(formatOf(schema), [text('{"a": '), finish('length')])).toEqual([null, null]);
  });

  it('looks at the calls of the tools that it was given, and at no others', () => {
    const parts: CheckedParts = { format: null, tools: [{ name: 'tag', parameters: tags }] };
    const repeated = ['{"tags": ["a", ', '"a"', ']', '}'];
    const of = (name: string) => findings(parts, [...call(name, repeated), finish('tool_calls')]);
    expect(of('tag').filter((found) => found !== null)[0]).toBe('uniqueItems 1');
    expect(of('other').every((found) => found === null)).toBe(true);
    expect(findings(parts, [...call('tag', ['{"tags": 3}'], false), finish('tool_calls')]).at(-1)).toBeNull();
  });

  it('gives an error that names the field, the tool, the keyword and its place', () => {
    const check = createAnswerCheck({ format: null, tools: [{ name: 'tag', parameters: tags }] });
    const found = call('tag', ['{"tags": ["a", "a"]}']).map((event) => check.read(event));
    expect(found.find((one) => one !== null)?.error).toMatchObject({
      code: 'invalid_request',
      field: 'input.tools',
      message: expect.stringMatching(/"tag" at #\/properties\/tags: .*"uniqueItems"/),
      details: { schema_path: '#/properties/tags' },
    });
  });
});

describe('a JSON text that is not complete', () => {
  it.each([
    ['{"a": [1, 2', '{"a": [1]}'],
    ['{"a": [1, 2]', '{"a": [1, 2]}'],
    ['{"a": ["x,]", "y', '{"a": ["x,]"]}'],
    ['{"a": {"b": "\\"", "c', '{"a": {"b": "\\""}}'],
    ['[[1], [2', '[[1]]'],
    ['{"a": 1', null],
    ['', null],
  ])('is closed behind what is whole of it: %s', (begun, closed) => {
    expect(closedJson(begun)).toBe(closed);
  });
});
