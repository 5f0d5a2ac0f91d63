import { Ajv2020 } from 'ajv/dist/2020.js';
import { getLlama, type Llama, LlamaGrammarEvaluationState, LlamaLogLevel, type LlamaModel } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyJsonGrammar, schemaToGrammar } from '../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../support/gbnf.ts';
import { schemaCorpus } from '../support/schemas.ts';

const modelPath = new URL('../../models/hearth-guide-3m-q8_0.gguf', import.meta.url).pathname;

describe('grammars in the real engine', () => {
  let llama: Llama;
  let model: LlamaModel;
  beforeAll(async () => {
    llama = await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      maxThreads: 1,
      progressLogs: false,
      logLevel: LlamaLogLevel.disabled,
    });
    model = await llama.loadModel({ modelPath });
  });
  afterAll(async () => {
    await llama?.dispose();
  });

  /** The engine's own verdict on a text; not part of the library's public types. */
  async function engineCheck(grammar: string): Promise<(text: string) => boolean> {
    const compiled: unknown = await llama.createGrammar({ grammar });
    const checker = compiled as { _testText(text: string): boolean };
    return (text) => checker._testText(text);
  }

  it.each(schemaCorpus())('compile and take the same texts as in the tests: $name', async ({ schema }) => {
    const source = schemaToGrammar(schema);
    const grammar = readGbnf(source);
    const engineAccepts = await engineCheck(source);
    const random = randomFrom(7);
    for (let count = 0; count < 20; count++) {
      const text = grammar.generate(random);
      expect([text, engineAccepts(text)]).toEqual([text, true]);
      const characters = Array.from(text);
      characters.splice(random(characters.length), 1, ...(random(2) === 0 ? [] : ['"']));
      const broken = characters.join('');
      expect([broken, engineAccepts(broken)]).toEqual([broken, grammar.accepts(broken)]);
    }
  });

  it('compile at the limits, where the engine has its own', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `value ${index}`);
    let deep: unknown = { type: 'null' };
    for (let level = 0; level < 60; level++) deep = { type: 'array', items: deep, minItems: 1 };
    const schemas: [schema: object, text: string][] = [
      [{ enum: many }, '"value 999"'],
      [{ enum: Array.from({ length: 900 }, (_, index) => 'a'.repeat(index)).slice(0, 700) }, `"${'a'.repeat(699)}"`],
      [{ type: 'string', minLength: 2_000, maxLength: 100_000 }, `"${'x'.repeat(2_345)}"`],
      [{ type: 'array', minItems: 2_000, maxItems: 2_000, items: { enum: [1, 2] } }, `[${'1,'.repeat(1_999)}2]`],
      [{ type: 'array', maxItems: 100_000, items: { anyOf: [{ type: 'integer' }, { type: 'array' }] } }, '[1,[],2]'],
      [deep as object, `${'['.repeat(60)}null${']'.repeat(60)}`],
      [{ type: 'string', pattern: `^${'('.repeat(32)}a${')*'.repeat(32)}$` }, '"aaaa"'],
      [{ type: 'string', pattern: '^(a|b?){500}$' }, '"abba"'],
      [
        { type: 'object', properties: Object.fromEntries(many.map((name) => [name, { type: 'null' }])) },
        '{"value 3":null}',
      ],
    ];
    for (const [schema, text] of schemas) {
      const engineAccepts = await engineCheck(schemaToGrammar(schema));
      expect([JSON.stringify(schema).slice(0, 60), engineAccepts(text)]).toEqual([expect.anything(), true]);
      expect(engineAccepts(`${text}!`)).toBe(false);
    }
  });

  const bounded = [
    { type: 'string', enum: ['red', 'green', 'blue'] },
    { type: 'integer', minimum: 17, maximum: 420 },
    { type: 'string', format: 'date' },
    { type: 'array', items: { type: 'boolean' }, minItems: 2, maxItems: 4 },
    {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 12 },
        share: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
        color: { anyOf: [{ enum: ['red', 'blue'] }, { type: 'null' }] },
        more: { $ref: '#/$defs/more' },
      },
      required: ['name', 'share', 'color'],
      $defs: {
        more: {
          type: 'object',
          properties: { id: { type: 'string', pattern: '^[A-F]{3}-\\d{2}$' } },
          required: ['id'],
        },
      },
    },
  ];

  it('make a model write what its schema allows, however it is sampled', async () => {
    const context = await model.createContext({ contextSize: 512, sequences: 1 });
    const sequence = context.getSequence();
    const prompt = model.tokenize('<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n', true);
    for (const schema of bounded) {
      const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
      const grammar = await llama.createGrammar({ grammar: schemaToGrammar(schema) });
      for (const temperature of [0, 1, 2]) {
        await sequence.clearHistory();
        const tokens = [];
        const grammarEvaluationState = new LlamaGrammarEvaluationState({ model, grammar });
        for await (const token of sequence.evaluate(prompt, {
          temperature,
          seed: 5,
          topK: 1024,
          topP: 1,
          grammarEvaluationState,
        })) {
          tokens.push(token);
          if (tokens.length === 400) break;
        }
        const text = model.detokenize(tokens);
        validate(JSON.parse(text));
        expect([text, validate.errors]).toEqual([text, null]);
      }
    }
    await context.dispose();
  });

  it('keep json_object mode inside a JSON object from the first character on', async () => {
    const context = await model.createContext({ contextSize: 256, sequences: 1 });
    const sequence = context.getSequence();
    const grammar = await llama.createGrammar({ grammar: anyJsonGrammar() });
    const grammarEvaluationState = new LlamaGrammarEvaluationState({ model, grammar });
    const prompt = model.tokenize('<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n', true);
    const tokens = [];
    for await (const token of sequence.evaluate(prompt, { temperature: 0, grammarEvaluationState })) {
      tokens.push(token);
      if (tokens.length === 100) break;
    }
    const text = model.detokenize(tokens);
    expect(text.startsWith('{')).toBe(true);
    if (tokens.length < 100) expect(typeof JSON.parse(text)).toBe('object');
    await context.dispose();
  });
});
