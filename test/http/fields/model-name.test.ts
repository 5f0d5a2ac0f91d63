import { describe, expect, it } from 'vitest';
import { modelNameField, modelNameProblem } from '../../../src/http/fields/model-name.ts';

describe('model names', () => {
  it.each([
    'default',
    'qwen-7b-chat',
    'llama-2-7b-chat',
    'SmolLM2-135M-Instruct.Q4_1',
    'name:q4_0',
    'team/model:q4_k_m',
    'claude-sonnet-4.5',
    'hf.co/org/repo:Q4_K_M',
    'a b',
    'x'.repeat(1_024),
    'Größe',
    'e\u0301',
    'модель',
    '👩\u200d🚀',
    'a:b',
    'a\\b',
    '-x',
    'x.',
    '..x',
    'x..y',
  ])('%j is one', (name) => {
    expect(modelNameProblem(name)).toBeNull();
    expect(modelNameField.safeParse(name).success).toBe(true);
  });

  it.each([
    '',
    '.',
    '..',
    '../x',
    '/etc/passwd',
    'a/../../b',
    'a//b',
    'a/./b',
    'a/',
    'a\0b',
    'a\nb',
    'a\tb',
    ' a',
    'a ',
    'x'.repeat(1_025),
    'a\u001b[31mb',
    'a\u0085b',
    '\ud800',
    'a\u202eb',
    'https://evil.example/x.gguf',
  ])('%j is none', (name) => {
    expect(modelNameProblem(name)).not.toBeNull();
    expect(modelNameField.safeParse(name).success).toBe(false);
  });
});
