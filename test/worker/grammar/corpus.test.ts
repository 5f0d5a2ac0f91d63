import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schemaToGrammar } from '../../../src/worker/grammar/grammar.ts';
import { randomFrom, readGbnf } from '../../support/gbnf.ts';
import { schemaCorpus } from '../../support/schemas.ts';

describe('the schemas of real applications', () => {
  const corpus = schemaCorpus().filter(({ name }) => !name.endsWith('draft-7') && name !== 'zod-tree.json');

  it('are all converted', () => {
    const all = schemaCorpus();
    expect(all.length).toBeGreaterThanOrEqual(20);
    for (const { schema } of all) expect(schemaToGrammar(schema)).toContain('root ::= ');
  });

  it.each(corpus)('write only values that an independent validator takes: $name', ({ schema }) => {
    const validate = new Ajv2020({ strict: false, validateFormats: false, discriminator: false }).compile(schema);
    const grammar = readGbnf(schemaToGrammar(schema));
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const text = grammar.generate(randomFrom(seed));
        validate(JSON.parse(text));
        expect([text, validate.errors]).toEqual([text, null]);
      }),
      { numRuns: 30 },
    );
  });
});
