import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { ToolDefinition } from '../../../src/core/chat.ts';
import { chatGlmForm } from '../../../src/worker/families/chatglm.ts';
import type { ToolCallForm } from '../../../src/worker/families/form.ts';
import { gemmaForm } from '../../../src/worker/families/gemma.ts';
import { genericForm } from '../../../src/worker/families/generic-form.ts';
import { gigaChatForm } from '../../../src/worker/families/gigachat.ts';
import { glmForm } from '../../../src/worker/families/glm.ts';
import { createGrammarParts } from '../../../src/worker/families/grammar-parts.ts';
import { harmonyForm } from '../../../src/worker/families/harmony.ts';
import { hermesForm } from '../../../src/worker/families/hermes.ts';
import { atemForm, dsmlForm, kimiTagsForm, minimaxForm } from '../../../src/worker/families/invoke.ts';
import {
  aprielForm,
  commandActionForm,
  commandForm,
  graniteForm,
  minimaxLinesForm,
} from '../../../src/worker/families/json-list.ts';
import { lfmForm } from '../../../src/worker/families/lfm.ts';
import { llamaForm } from '../../../src/worker/families/llama.ts';
import { minimaxTreeForm } from '../../../src/worker/families/minimax-tree.ts';
import { mistralForm } from '../../../src/worker/families/mistral.ts';
import { apertusForm, deepSeekForm, kimiForm } from '../../../src/worker/families/named-json.ts';
import { qwenCoderForm } from '../../../src/worker/families/qwen-coder.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';
import { grammarDeps } from '../../support/grammar-deps.ts';
import { readOutput } from '../../support/parse-output.ts';

const how = grammarDeps();
const tools: ToolDefinition[] = [
  {
    name: 'set_light',
    parameters: {
      type: 'object',
      properties: {
        room: { $ref: '#/$defs/room' },
        level: { type: 'integer', minimum: 0, maximum: 100 },
        on: { type: 'boolean' },
        hours: { type: 'array', items: { type: 'integer' }, maxItems: 2 },
        mode: { enum: ['warm', 'cold'] },
      },
      required: ['room', 'level'],
      additionalProperties: false,
      $defs: { room: { type: 'string' } },
    },
  },
  { name: 'now' },
];

/** `keepsSchema`: values are JSON, or strings between tags. Elsewhere only names, types and given values are bound. */
const forms: { name: string; form: ToolCallForm; keepsSchema: boolean; template?: string }[] = [
  { name: 'hermes', form: hermesForm, keepsSchema: true },
  { name: 'qwen-coder', form: qwenCoderForm(), keepsSchema: true },
  { name: 'glm in lines', form: glmForm('\n'), keepsSchema: true },
  { name: 'glm', form: glmForm(''), keepsSchema: true },
  { name: 'llama', form: llamaForm, keepsSchema: true },
  { name: 'mistral list', form: mistralForm('list'), keepsSchema: true },
  { name: 'mistral', form: mistralForm('named'), keepsSchema: true },
  { name: 'granite', form: graniteForm, keepsSchema: true },
  { name: 'glm-4', form: chatGlmForm('json'), keepsSchema: true },
  { name: 'chatglm3', form: chatGlmForm('python'), keepsSchema: false },
  { name: 'gemma', form: gemmaForm, keepsSchema: false },
  { name: 'lfm', form: lfmForm, keepsSchema: false },
  { name: 'deepseek', form: deepSeekForm('fenced'), keepsSchema: true },
  { name: 'deepseek 3.1', form: deepSeekForm('plain'), keepsSchema: true },
  { name: 'dsml', form: dsmlForm('tool_calls'), keepsSchema: true },
  { name: 'harmony', form: harmonyForm, keepsSchema: true },
  { name: 'kimi', form: kimiForm, keepsSchema: true },
  { name: 'kimi tags', form: kimiTagsForm, keepsSchema: true },
  { name: 'minimax', form: minimaxForm, keepsSchema: true },
  { name: 'minimax tree', form: minimaxTreeForm, keepsSchema: false },
  { name: 'minimax lines', form: minimaxLinesForm, keepsSchema: true },
  { name: 'apriel', form: aprielForm, keepsSchema: true },
  { name: 'command', form: commandForm, keepsSchema: true },
  { name: 'command action', form: commandActionForm, keepsSchema: true },
  { name: 'apertus', form: apertusForm, keepsSchema: true },
  { name: 'gigachat', form: gigaChatForm, keepsSchema: true },
  { name: 'atem', form: atemForm, keepsSchema: true, template: 'to=self<|message|>' },
  { name: 'seed', form: qwenCoderForm({ tag: 'seed:tool_call', line: '' }), keepsSchema: true },
  { name: 'generic', form: genericForm, keepsSchema: true },
];

const withoutBounds = (schema: unknown): object =>
  JSON.parse(
    JSON.stringify(schema ?? {}, (key, value: unknown) => (/^(?:m(?:ax|in))/.test(key) ? undefined : value)),
  ) as object;

const ajv = new Ajv({ strict: false });
const texts = (gbnf: string, count = 40): string[] => {
  const grammar = readGbnf(gbnf);
  const random = randomFrom(7);
  return Array.from({ length: count }, () => grammar.generate(random));
};

describe.each(forms)('the grammars of $name', ({ form, keepsSchema, template = '' }) => {
  const expectCalls = async (written: string, allowed: readonly ToolDefinition[], begun: boolean) => {
    const answer = await readOutput([written], { form, tools: allowed, bound: true, begun, template });
    expect(answer.text, written).toBe('');
    expect(answer.calls.length, written).toBeGreaterThan(0);
    for (const { name, arguments: given } of answer.calls) {
      const tool = allowed.find((candidate) => candidate.name === name);
      expect(tool, written).toBeDefined();
      const schema = keepsSchema ? (tool!.parameters ?? {}) : withoutBounds(tool!.parameters);
      expect(ajv.validate(schema, given), `${written}: ${ajv.errorsText()}`).toBe(true);
    }
  };

  it('only write calls of the tools that are read as such, when any call is required', async () => {
    const { prefix, gbnf } = form.requireCall({ tools, named: null, how });
    for (const text of texts(gbnf)) await expectCalls(prefix + text, tools, true);
  });

  it.each(tools)('only write calls of $name when it is required', async (named) => {
    const { prefix, gbnf } = form.requireCall({ tools, named, how });
    for (const text of texts(gbnf)) await expectCalls(prefix + text, [named], true);
  });

  it('only write calls behind a marker that the model wrote itself', async () => {
    const gbnf = form.callGrammar(tools, how);
    const marker = form.opens[0];
    // Forms without a marker of their own are read and not bound.
    expect(gbnf === null).toBe(form.opensBare !== undefined && !form.beginsMarked);
    if (gbnf === null || marker === undefined) return;
    for (const text of texts(gbnf)) await expectCalls(marker + text, tools, false);
  });
});

describe('parts of grammars', () => {
  const tool = { name: 'any' };

  it('read any text up to the first closing tag', () => {
    const parts = createGrammarParts(how);
    const grammar = readGbnf(parts.print(parts.textUntil('</v>')));
    for (const text of ['</v>', 'a</v>', '<</v>', 'a </v </v>', '<b></b>\n</v>', '</</v>', '"é"</v>']) {
      expect(grammar.accepts(text), text).toBe(true);
    }
    for (const text of ['', 'a', '</v', '</v>a', 'a</v></v>']) expect(grammar.accepts(text), text).toBe(false);
  });

  it('keep several schemas apart', () => {
    const parts = createGrammarParts(how);
    const first = parts.schema({ type: 'object', properties: { a: { enum: ['x', 'object'] } }, required: ['a'] }, tool);
    const second = parts.schema({ type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'] }, tool);
    const grammar = readGbnf(parts.print(`${first} ";" ${second}`));
    expect(grammar.accepts('{"a":"object"};{"a":true}')).toBe(true);
    expect(grammar.accepts('{"a":true};{"a":"x"}')).toBe(false);
  });

  it('name the tools whose calls have to be checked', () => {
    const open: string[] = [];
    const parts = createGrammarParts(grammarDeps(open));
    const of = (name: string, set: object) =>
      parts.argumentsOf({ name, parameters: { type: 'object', properties: { set }, required: ['set'] } });
    of('listed', { type: 'array', items: { enum: ['a', 'b'] }, uniqueItems: true });
    const rule = of('free', { type: 'array', items: { type: 'string' }, uniqueItems: true });
    expect(open).toEqual(['free']);
    const grammar = readGbnf(parts.print(rule));
    expect(grammar.accepts('{"set": ["a"]}')).toBe(true);
    expect(grammar.accepts('{"set": "a"}')).toBe(false);
  });

  it('refuse what can neither be kept nor checked, naming the tool and the keyword', () => {
    const parts = createGrammarParts(how);
    const odd = { name: 'odd', parameters: { type: 'object', properties: { a: { pattern: '(a)\\1' } } } };
    expect(() => parts.argumentsOf(odd)).toThrow(/"odd" at #\/properties\/a\/pattern: "pattern" refers back/);
  });

  it('take a schema behind a reference to itself, and to its own address', () => {
    const parts = createGrammarParts(how);
    const parameters = {
      $id: 'https://example.com/room',
      $ref: 'https://example.com/room#/definitions/Room',
      definitions: { Room: { type: 'object', properties: { lamp: { enum: ['on'] } }, required: ['lamp'] } },
    };
    const grammar = readGbnf(parts.print(parts.argumentsOf({ name: 'room', parameters })));
    expect(grammar.accepts('{"lamp": "on"}')).toBe(true);
    expect(grammar.accepts('{}')).toBe(false);
  });

  it('leave arguments at any object, to be checked, once all schemas are over the limit of the engine', () => {
    const open: string[] = [];
    const parts = createGrammarParts(grammarDeps(open));
    const large = {
      type: 'object',
      properties: { a: { enum: Array.from({ length: 900 }, (_, n) => `${n}${'x'.repeat(100)}`) } },
    };
    const rules = Array.from({ length: 4 }, (_, index) => parts.argumentsOf({ name: `t${index}`, parameters: large }));
    const text = parts.print(rules.join(' '));
    expect(text.length).toBeLessThan(300 * 1024);
    expect(open).toContain('t3');
    expect(readGbnf(parts.print(rules[3]!)).accepts('{"b": 1}')).toBe(true);
  });
});

describe('a schema that says more than names and types', () => {
  const parameters = {
    type: 'object',
    properties: {
      room: { $ref: '#/$defs/room' },
      title: { type: 'string', minLength: 3 },
      size: { type: 'integer', minimum: 1 },
    },
    required: ['room'],
    $defs: { room: { enum: ['hall', 'attic'] } },
  };

  it.each(forms)('is kept or checked in the calls of $name', ({ form }) => {
    const open: string[] = [];
    const { gbnf } = form.requireCall({ tools: [{ name: 'a', parameters }], named: null, how: grammarDeps(open) });
    // Given values are held everywhere, also behind a reference.
    for (const text of texts(gbnf, 20)) expect(text).toMatch(/hall|attic/);
    const isOfTags = [
      ...['qwen-coder', 'glm', 'chatglm', 'gemma', 'lfm'],
      ...['dsml', 'kimi-tags', 'minimax', 'minimax-tree', 'atem'],
    ].includes(form.name);
    const isJson = form.name === 'chatglm' && !gbnf.includes('python');
    expect(open.length > 0).toBe(isOfTags && !isJson);
  });
});
