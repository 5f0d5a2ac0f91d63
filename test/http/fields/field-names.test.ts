import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { inDialect } from '../../../src/http/fields/field-names.ts';

const names = { 'input.messages': 'messages', 'input.*': 'prompt', format: 'response_format', inputs: 'input' };
const named = (field: string) => inDialect(new AppError('invalid_request', 'No.', { field }), names);

describe('inDialect', () => {
  it.each([
    ['format', 'response_format'],
    ['input', 'prompt'],
    ['input.prompt', 'prompt'],
    ['input.tools.0.name', 'prompt'],
    ['input.messages', 'messages'],
    ['model', 'model'],
    ['formats', 'formats'],
  ])('calls %s by the name of the longest path that leads to it: %s', (field, expected) => {
    expect(named(field)).toMatchObject({ field: expected, message: 'No.' });
  });

  it.each([
    ['input.messages.3.content', 'messages.3.content'],
    ['inputs.12', 'input.12'],
    ['documents.0', 'documents.0'],
  ])('says in the text which item of a list %s is: %s', (field, expected) => {
    expect(named(field)).toMatchObject({ field: expected, message: `"${expected}": No.` });
  });

  it('leaves an error without a field as it is', () => {
    const error = new AppError('queue_full', 'Full.');
    expect(inDialect(error, names)).toBe(error);
  });

  it('keeps everything else of an error', () => {
    const cause = new Error('why');
    const options = { fix: 'Wait.', retryAfterSeconds: 3, details: { waiting: 2 }, cause };
    const error = inDialect(new AppError('queue_full', 'Full.', { field: 'format', ...options }), names);
    expect(error).toMatchObject({ code: 'queue_full', message: 'Full.', field: 'response_format', ...options });
  });
});
