import { describe, expect, it } from 'vitest';
import { badInputs } from './runner.ts';
import { bodyWith, nameOf, type Target, targets } from './targets.ts';

const { harness, send, refused } = badInputs();

/** What a field may not hold, by the name of the native API, and what the error names beyond the field. */
const rows: [name: string, json: string, below?: string][] = [
  ...['-0.1', '2.1', '"1"', '1e999', '[]', 'true'].map((json): [string, string] => ['temperature', json]),
  ['top_p', '-0.1'],
  ['top_p', '1.1'],
  ['top_p', 'true'],
  ['top_k', '-2'],
  ['top_k', '1.5'],
  ['top_k', '"4"'],
  ['min_p', '-1'],
  ['min_p', '1.1'],
  ['frequency_penalty', '2.5'],
  ['presence_penalty', '-2.5'],
  ['repeat_penalty', '0'],
  ['repeat_penalty', '"1"'],
  ['seed', '1.5'],
  ['seed', '9223372036854775808'],
  ['seed', '"1"'],
  ...['0', '-2', '1.5', '1e308', '"10"'].map((json): [string, string] => ['max_tokens', json]),
  ['stop', '5'],
  ['stop', JSON.stringify(Array.from({ length: 1_000 }, () => 'x'))],
  ['stop', JSON.stringify(Array.from({ length: 17 }, () => 'x'))],
  ['stop', JSON.stringify('x'.repeat(1024 * 1024))],
  ['stop', JSON.stringify(['a', 'x'.repeat(257)]), '.1'],
  ...[
    '[]',
    '{"a":1}',
    '{"-1":1}',
    '{"1.5":1}',
    '{"99999999999999999999":1}',
    '{"5":101}',
    '{"5":1e9}',
    '{"5":"1"}',
  ].map((json): [string, string] => ['logit_bias', json]),
  ['logit_bias', '{"5":null}'],
  ['logit_bias', JSON.stringify(Object.fromEntries(Array.from({ length: 301 }, (_, token) => [token, 1])))],
  ['ignore_eos', '1'],
  ['min_tokens', '-1'],
  ['min_tokens', '0.5'],
  ['xtc_probability', '1.1'],
  ['xtc_threshold', '-0.1'],
  ['dry_multiplier', '-1'],
  ['dry_multiplier', '1e300'],
  ['dry_base', '0.5'],
  ['dry_allowed_length', '-1'],
  ['dry_penalty_last_n', '-2'],
  ['dry_penalty_last_n', '2147483647'],
  ['dry_sequence_breakers', '"x"'],
  ['dry_sequence_breakers', JSON.stringify(Array.from({ length: 17 }, () => 'x'))],
  ['dry_sequence_breakers', '[""]', '.0'],
  ['dry_sequence_breakers', JSON.stringify(['x'.repeat(65)]), '.0'],
  ['stream', '"yes"'],
  ['stream', '1'],
  ['stream_options', '{"include_usage":"yes"}', '.include_usage'],
  ['keep_alive', '"soon"'],
  ['keep_alive', '{}'],
  ['cache_prompt', '"yes"'],
  ['cache_prompt', '1'],
  ['logprobs', '"yes"'],
  ...['1000000', '-1', '1.5', '"5"'].map((json): [string, string] => ['top_logprobs', json]),
  ...['0', '9', '17', '1000000', '1.5', '"2"'].map((json): [string, string] => ['n', json]),
  ...['0', '9', '17', '1000000'].map((json): [string, string] => ['best_of', json]),
  ['format', '5'],
  ['format', '"xml"'],
  ['format', '[]'],
  ['response_format', '"json"'],
  ['response_format', '{"type":"xml"}', '.type'],
  ['response_format', '{"type":"json_schema"}', '.json_schema.schema'],
  ['metadata', '"x"'],
  ['prompt', '7'],
  ['prompt', '{"text":"Hi"}'],
  ['messages', '"Hi"'],
  ['messages', '[{"role":"robot","content":"x"}]', '.0.role'],
  ['messages', '[{"role":"user","content":1}]', '.0.content'],
  ['messages', '["Hi"]', '.0'],
  ['input', '7'],
  ['input', '[{"role":"robot","content":"x"}]', '.0.role'],
  ['tools', '"x"'],
  ...['""', '"../x"', '"a/../../b"', '"a\\u0000b"', '"https://evil.example/x.gguf"', '"a\\u001b[31m"', '7', '{}'].map(
    (json): [string, string] => ['model', json],
  ),
  ['model', JSON.stringify('x'.repeat(1_025))],
];

const shown = (json: string) => (json.length > 60 ? `${json.slice(0, 40)}… (${json.length})` : json);

/** The rows that are no mistake at a target, and why. */
const takes = ({ takes: taken = [], errors, fields }: Target, name: string, json: string) =>
  taken.includes(`${name} = ${json}`) ||
  // Clients of these send one where they mean none.
  (name === 'model' && json === '""' && errors.name === 'Ollama') ||
  fields[name] === undefined;

const rowsOf = (target: Target) => rows.filter(([name, json]) => !takes(target, name, json));
const concerned = targets.filter((target) => rowsOf(target).length > 0);

describe.each(concerned.map((target) => [nameOf(target), target] as const))('%s', (_name, target) => {
  it.each(rowsOf(target).map(([name, json, below]) => [name, shown(json), json, below] as const))(
    'refuses %s = %s by name',
    async (name, _shown, json, below = '') => {
      await refused(target, bodyWith(target, name, json), { field: `${target.fields[name]}${below}` });
    },
  );

  if (target.fields['messages'] !== undefined) {
    it('refuses 100,000 turns', async () => {
      const turns = `[${'{"role":"user","content":"x"},'.repeat(99_999)}{"role":"user","content":"x"}]`;
      await refused(target, bodyWith(target, 'messages', turns), turns.length > 3 * 1024 * 1024 ? { status: 413 } : {});
    });
  }

  const { max_tokens: maxTokens } = target.fields;
  if (maxTokens !== undefined) {
    it('takes the last of two equal keys, and hands on its own words', async () => {
      const text = bodyWith(target, 'max_tokens', '3');
      const last = maxTokens.split('.').at(-1)!;
      await send(target, text.replace(`"${last}":3`, `"${last}":3,"${last}":4`));
      expect(harness().gateway.calls.at(-1)!.request.maxTokens).toBe(4);
    });
  }

  if (target.fields['stop'] !== undefined) {
    it('takes empty stop strings for none', async () => {
      await send(target, bodyWith(target, 'stop', '[""]'));
      expect(harness().gateway.calls.at(-1)!.request.stop).toEqual([]);
    });
  }
});
