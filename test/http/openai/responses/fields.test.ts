import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { responseBody } from '../../../../src/http/openai/responses/schema.ts';
import { createHarness, type Harness } from '../../harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

/** A value of each field that would be seen if it arrived. */
const sentinels: Record<keyof typeof responseBody.shape, unknown> = {
  model: 'sentinel',
  input: 'sentinel',
  instructions: 'sentinel',
  previous_response_id: 'resp_sentinel',
  tools: [{ type: 'function', name: 'sentinel' }],
  tool_choice: 'none',
  parallel_tool_calls: false,
  reasoning: { effort: 'none' },
  text: { format: { type: 'json_object' } },
  truncation: 'auto',
  chat_template_kwargs: { sentinel: 1 },
  conversation: 'conv_sentinel',
  max_output_tokens: 77,
  temperature: 0.77,
  top_p: 0.77,
  top_logprobs: 7,
  include: ['message.output_text.logprobs'],
  store: false,
  background: true,
  metadata: { sentinel: '1' },
  stream: true,
  prompt: { id: 'sentinel' },
  context_management: [{ type: 'compaction' }],
  max_tool_calls: 7,
  prompt_cache_key: 'sentinel',
  prompt_cache_options: { mode: 'explicit' },
  prompt_cache_retention: '24h',
  safety_identifier: 'sentinel',
  service_tier: 'flex',
  user: 'sentinel',
  stream_options: { include_obfuscation: true },
  moderation: { model: 'sentinel' },
  access_programs: { cyber: 'standard' },
  image: { context_compression: 'auto' },
  background_options: { window: '2h' },
  top_k: 7,
  min_p: 0.7,
  seed: 7,
  repeat_penalty: 1.7,
  frequency_penalty: 0.7,
  presence_penalty: 0.7,
  logit_bias: { 7: 7 },
  ignore_eos: true,
  min_tokens: 7,
  xtc_probability: 0.7,
  xtc_threshold: 0.2,
  dry_multiplier: 0.7,
  dry_base: 1.7,
  dry_allowed_length: 7,
  dry_penalty_last_n: 7,
  dry_sequence_breakers: ['7'],
  stop: 'sentinel',
  keep_alive: 7,
  cache_prompt: 'pin',
};

/** Fields that mean something beside others only. */
const beside: Partial<Record<string, object>> = {
  xtc_threshold: { xtc_probability: 0.5 },
  dry_base: { dry_multiplier: 0.5 },
  dry_allowed_length: { dry_multiplier: 0.5 },
  dry_penalty_last_n: { dry_multiplier: 0.5 },
  dry_sequence_breakers: { dry_multiplier: 0.5 },
};

/** Fields that say what the server itself does; their own tests are in `responses.test.ts`. */
const ofTheServer = ['store', 'background', 'stream', 'truncation'];

describe('a field of a request', () => {
  const send = async (fields: object) => {
    const before = harness.gateway.calls.length;
    const response = await harness.send('POST', '/v1/responses', { input: 'Hi', ...fields });
    return { response, request: JSON.stringify(harness.gateway.calls[before]?.request) };
  };

  it.each(Object.entries(sentinels).filter(([field]) => !ofTheServer.includes(field)))(
    '%s arrives at the provider, is refused by name, or is named as ignored',
    async (field, value) => {
      const plain = await send(beside[field] ?? {});
      const { response, request } = await send({ ...beside[field], [field]: value });
      if (response.statusCode !== 200) {
        expect(response.json().error.param).toBe(field);
        return;
      }
      const ignored = String(response.headers['x-hearth-ignored'] ?? '').split(', ');
      expect(ignored.includes(field) || request !== plain.request).toBe(true);
    },
  );

  it('that the schema does not know is named, nothing else changes', async () => {
    const plain = await send({});
    const { response, request } = await send({ client_metadata: { a: 1 }, brand_new: true });
    expect(response.headers['x-hearth-ignored']).toBe('client_metadata, brand_new');
    expect(request).toBe(plain.request);
  });
});
