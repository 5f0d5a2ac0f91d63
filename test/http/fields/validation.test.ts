import { expect, it } from 'vitest';
import { z } from 'zod';
import { modelNameField } from '../../../src/http/fields/model-name.ts';
import { validationError } from '../../../src/http/fields/validation.ts';

const schema = z.strictObject({
  model: modelNameField.optional(),
  stop: z.union([z.string().min(1), z.array(z.string())]).optional(),
  content: z.union([z.string(), z.array(z.strictObject({ text: z.string() }))]),
  page: z.string().regex(/^b/, 'URLs are not read').optional(),
  mode: z.union([z.enum(['auto', 'none']), z.strictObject({ name: z.string() })]).optional(),
});

it.each<[string, unknown, string, string]>([
  ['a missing field', {}, 'content', '"content" is required.'],
  [
    'no type of several',
    { content: 5 },
    'content',
    '"content" is not valid: expected string or array, received number.',
  ],
  ['null', { content: null }, 'content', '"content" is not valid: expected string or array, received null.'],
  [
    'the option that was meant',
    { content: [{ text: 5 }] },
    'content.0.text',
    '"content.0.text" is not valid: expected string, received number.',
  ],
  [
    'a value instead of a type where one is nearer',
    { content: '', mode: 'no' },
    'mode',
    '"mode" is not valid: invalid option: expected one of "auto"|"none".',
  ],
  [
    'a sentence that begins with an abbreviation',
    { content: '', page: 'a' },
    'page',
    '"page" is not valid: URLs are not read.',
  ],
])('names %s', (_title, value, field, message) => {
  const error = validationError(schema.safeParse(value).error!.issues);
  expect([error.field, error.message]).toEqual([field, message]);
});

it('repeats no more than 200 characters of a key', () => {
  const error = validationError(schema.safeParse({ content: '', ['x'.repeat(100_000)]: 1 }).error!.issues);
  expect(error.field).toBe(`${'x'.repeat(200)}…`);
  expect(error.message.length).toBeLessThan(250);
});
