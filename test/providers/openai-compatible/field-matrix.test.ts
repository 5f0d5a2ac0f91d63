import { describe, expect, it } from 'vitest';
import type { ProviderPreset } from '../../../src/config/providers.ts';
import type { ChatInput, ChatRequest, Sampling } from '../../../src/core/chat.ts';
import type { UserPart } from '../../../src/core/content.ts';
import { AppError } from '../../../src/core/errors.ts';
import { rowFor, services } from '../../../src/providers/openai-compatible/presets.ts';
import { createCallSignatures } from '../../../src/providers/openai-compatible/signatures.ts';
import { toWire } from '../../../src/providers/openai-compatible/to-wire.ts';

const presets = Object.keys(services) as ProviderPreset[];
type ChatPrompt = Extract<ChatInput, { type: 'chat' }>;

const tools = [
  { name: 'one', parameters: { type: 'object' } },
  {
    name: 'two',
    description: 'sentinel-description',
    strict: true,
    parameters: { type: 'object', title: 'sentinel-schema' },
  },
];
const chat = (changes: Partial<ChatPrompt> = {}): ChatPrompt => ({
  type: 'chat',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'sentinel-text' }] }],
  tools: [],
  toolChoice: { type: 'auto' },
  ...changes,
});
const saying = (...content: UserPart[]): ChatPrompt => chat({ messages: [{ role: 'user', content }] });

/** A request with one thing in it, and how that looks in a body. `field`: as it is named where it is not there. */
interface Case {
  change: Partial<ChatRequest>;
  field: string;
  seen: RegExp;
}

const on = (value: unknown) => new RegExp(JSON.stringify(value).replace(/[[\](){}.*+?^$|\\]/g, '\\$&'));

const samplingCases: Record<keyof Sampling, [unknown, RegExp]> = {
  temperature: [0.123, /"temperature":0\.123/],
  topP: [0.456, /"top_p":0\.456/],
  topK: [17, /"top_k":17/],
  typicalP: [0.93, /"typical_p":0\.93/],
  minP: [0.07, /"min_p":0\.07/],
  seed: [4711, /"seed":4711/],
  repeatPenalty: [1.13, /penalty":1\.13/],
  frequencyPenalty: [0.31, /"frequency_penalty":0\.31/],
  presencePenalty: [0.41, /"presence_penalty":0\.41/],
  penaltyTokens: [37, /"repeat_last_n":37/],
  logitBias: [{ 42: 7 }, /"logit_bias":\{"42":7\}/],
  ignoreEnd: [true, /"ignore_eos":true/],
  minTokens: [9, /"min_tokens":9/],
  xtc: [{ probability: 0.11, threshold: 0.22 }, /"xtc_probability":0\.11,"xtc_threshold":0\.22/],
  dry: [
    { multiplier: 0.8, base: 1.7, allowedLength: 3, lastTokens: 64, sequenceBreakers: ['!'] },
    /"dry_multiplier":0\.8,"dry_base":1\.7,"dry_allowed_length":3,"dry_penalty_last_n":64,"dry_sequence_breakers":\["!"\]/,
  ],
};

const inputCases: Record<keyof Required<ChatPrompt>, Case[]> = {
  type: [
    {
      change: { input: { type: 'text', prompt: 'sentinel-prompt' } },
      field: 'input',
      seen: /"prompt":"sentinel-prompt"/,
    },
  ],
  messages: [
    { change: { input: chat() }, field: 'input.messages', seen: /sentinel-text/ },
    {
      change: { input: saying({ type: 'image', mediaType: 'image/png', source: { type: 'bytes', base64: 'c2VudA' } }) },
      field: 'input.messages.0.content.0',
      seen: /data:image\/png;base64,c2VudA/,
    },
    {
      change: {
        input: saying({ type: 'image', mediaType: null, source: { type: 'url', url: 'https://sent.test/a.png' } }),
      },
      field: 'input.messages.0.content.0',
      seen: /https:\/\/sent\.test\/a\.png/,
    },
    {
      change: { input: saying({ type: 'image', mediaType: null, source: { type: 'file', fileId: 'file-sent' } }) },
      field: 'input.messages.0.content.0',
      seen: /file-sent/,
    },
    {
      change: {
        input: saying({
          type: 'document',
          mediaType: 'application/pdf',
          title: 'a.pdf',
          source: { type: 'bytes', base64: 'c2VudA' },
        }),
      },
      field: 'input.messages.0.content.0',
      seen: /"filename":"a\.pdf","file_data":"data:application\/pdf;base64,c2VudA"/,
    },
    {
      change: {
        input: saying({
          type: 'document',
          mediaType: 'text/plain',
          title: 'T',
          context: 'C',
          source: { type: 'text', text: 'sentinel-doc' },
        }),
      },
      field: 'input.messages.0.content.0',
      seen: /T\\nC\\n\\nsentinel-doc/,
    },
    {
      change: {
        input: saying({ type: 'document', mediaType: null, mayBeCited: true, source: { type: 'text', text: 'x' } }),
      },
      field: 'input.messages.0.content.0.mayBeCited',
      seen: /never/,
    },
    {
      change: { input: saying({ type: 'opaque', dialect: 'anthropic', block: { type: 'sentinel' } }) },
      field: 'input.messages.0.content.0',
      seen: /never/,
    },
    {
      change: { input: saying({ type: 'opaque', dialect: 'openai', block: { type: 'sentinel' } }) },
      field: 'input.messages.0.content.0',
      seen: /\{"type":"sentinel"\}/,
    },
    {
      change: {
        input: saying({
          type: 'tool-result',
          callId: 'call-sent',
          name: 'tool-sent',
          isError: false,
          content: [{ type: 'text', text: 'result-sent' }],
        }),
      },
      field: 'input.messages.0.content.0',
      seen: /"role":"tool","tool_call_id":"call-sent","name":"tool-sent","content":"result-sent"/,
    },
    {
      change: { input: saying({ type: 'tool-result', callId: 'c', isError: true, content: [] }) },
      field: 'input.messages.0.content.0.isError',
      seen: /never/,
    },
    {
      change: { input: saying({ type: 'text', text: 'x', cacheMark: { ttlSeconds: 300 } }) },
      field: 'input.messages.cacheMark',
      seen: /never/,
    },
    {
      change: { input: saying({ type: 'text', text: 'x', extra: { anthropic: { sentinel: 1 } } }) },
      field: 'input.messages.0.extra.anthropic',
      seen: /never/,
    },
    {
      change: { input: saying({ type: 'text', text: 'x', extra: { openai: { sentinel: 1 } } }) },
      field: 'input.messages.0',
      seen: /\{"sentinel":1,"type":"text","text":"x"\}/,
    },
    {
      change: {
        input: chat({
          messages: [
            {
              role: 'assistant',
              content: [
                { type: 'reasoning', text: 'thought-sent', signature: null, redactedData: null, origin: null },
                { type: 'tool-call', id: 'call-sent', name: 'one', arguments: { a: 1 } },
              ],
            },
          ],
        }),
      },
      field: 'input.messages.0.reasoning',
      seen: /"reasoning(_content)?":"thought-sent"/,
    },
  ],
  tools: [
    { change: { input: chat({ tools }) }, field: 'input.tools', seen: /sentinel-description.*sentinel-schema/ },
    { change: { input: chat({ tools }) }, field: 'input.tools.1.strict', seen: /"strict":true/ },
    {
      change: { input: chat({ tools: [{ name: 'x', cacheMark: { ttlSeconds: null } }] }) },
      field: 'input.tools.cacheMark',
      seen: /never/,
    },
    {
      change: { input: chat({ tools: [{ name: 'x', extra: { openai: { sentinel: 2 } } }] }) },
      field: 'input.tools.0',
      seen: /"sentinel":2/,
    },
    {
      change: { input: chat({ tools: [{ name: 'x', extra: { ollama: {} } }] }) },
      field: 'input.tools.0.extra.ollama',
      seen: /never/,
    },
  ],
  toolChoice: [
    {
      change: { input: chat({ tools, toolChoice: { type: 'none' } }) },
      field: 'input.toolChoice',
      seen: /"tool_choice":"none"|^(?!.*"tools")/,
    },
    {
      change: { input: chat({ tools, toolChoice: { type: 'required' } }) },
      field: 'input.toolChoice',
      seen: /"tool_choice":"required"/,
    },
    {
      change: { input: chat({ tools, toolChoice: { type: 'tool', name: 'two' } }) },
      field: 'input.toolChoice',
      // Held to one tool, or shown no other and held to calling one.
      seen: /"tool_choice":\{"type":"function","function":\{"name":"two"\}\}|^(?!.*"name":"one").*"tool_choice":"required"/,
    },
    {
      change: { input: chat({ tools, toolChoice: { type: 'allowed', mode: 'auto', names: ['two'] } }) },
      field: 'input.toolChoice',
      seen: /"allowed_tools":\{"mode":"auto","tools":\[\{"type":"function","function":\{"name":"two"\}\}\]|^(?!.*"name":"one").*"name":"two"/,
    },
  ],
  parallelToolCalls: [
    {
      change: { input: chat({ tools, parallelToolCalls: false }) },
      field: 'input.parallelToolCalls',
      seen: /"parallel_tool_calls":false/,
    },
  ],
  continuesLast: [
    {
      change: {
        input: chat({
          messages: [{ role: 'assistant', content: [{ type: 'text', text: 'begun' }] }],
          continuesLast: true,
        }),
      },
      field: 'input.continuesLast',
      // llama-server goes on with such a message by itself.
      seen: /"continue_final_message":true,"add_generation_prompt":false|"partial":true|^\{"model":"some-model","messages":\[\{"role":"assistant","content":"begun"\}\],"stream"/,
    },
  ],
  templateOptions: [
    {
      change: { input: chat({ templateOptions: { sentinel: 3 } }) },
      field: 'input.templateOptions',
      seen: /"chat_template_kwargs":\{"sentinel":3\}/,
    },
  ],
  template: [
    {
      change: { input: chat({ template: 'sentinel-template' }) },
      field: 'input.template',
      seen: /"chat_template":"sentinel-template"/,
    },
  ],
};

const cases: Record<Exclude<keyof Required<ChatRequest>, 'original' | 'onlyRelayed' | 'keptBy'>, Case[]> = {
  model: [{ change: {}, field: 'model', seen: /"model":"some-model"/ }],
  input: [
    ...Object.values(inputCases).flat(),
    {
      change: { input: { type: 'text', prompt: [4711, 2], suffix: 'sentinel-suffix' } },
      field: 'input',
      seen: /"prompt":\[4711,2\],"suffix":"sentinel-suffix"/,
    },
  ],
  sampling: Object.entries(samplingCases).map(([name, [value, seen]]) => ({
    change: { sampling: { [name]: value } },
    field: `sampling.${name}`,
    seen,
  })),
  format: [
    { change: { format: { type: 'json' } }, field: 'format', seen: /"response_format":\{"type":"json_object"\}/ },
    {
      change: { format: { type: 'json-schema', schema: { title: 'sent' } } },
      field: 'format',
      seen: /"json_schema":\{"name":"answer","schema":\{"title":"sent"\},"strict":true\}/,
    },
    {
      change: { format: { type: 'grammar', gbnf: 'root ::= sent' } },
      field: 'format',
      seen: /"grammar":"root ::= sent"/,
    },
  ],
  logprobs: [
    { change: { logprobs: { top: 0 } }, field: 'logprobs', seen: /"logprobs":true/ },
    { change: { logprobs: { top: 13 } }, field: 'logprobs', seen: /"top_logprobs":13/ },
    { change: { input: { type: 'text', prompt: 'x' }, logprobs: { top: 3 } }, field: 'logprobs', seen: /"logprobs":3/ },
    { change: { input: { type: 'text', prompt: 'x' }, logprobs: { top: 13 } }, field: 'logprobs.top', seen: /never/ },
  ],
  maxTokens: [
    { change: { maxTokens: 1234 }, field: 'maxTokens', seen: /"max_(completion_)?tokens":1234/ },
    { change: { maxTokens: 0 }, field: 'maxTokens', seen: /"max_(completion_)?tokens":0/ },
  ],
  stop: [
    { change: { stop: ['sent-1', 'sent-2'] }, field: 'stop', seen: /"stop":\["sent-1","sent-2"\]/ },
    { change: { stop: ['a', 'b', 'c', 'd', 'e', 'f'] }, field: 'stop', seen: /"stop":\["a","b","c","d","e","f"\]/ },
  ],
  keepAliveMs: [
    { change: { keepAliveMs: 91_000 }, field: 'keepAliveMs', seen: /"keep_alive":91/ },
    { change: { keepAliveMs: Number.POSITIVE_INFINITY }, field: 'keepAliveMs', seen: /"keep_alive":-1/ },
  ],
  promptCache: [
    { change: { promptCache: 'none' }, field: 'promptCache', seen: /"cache_prompt":false/ },
    { change: { promptCache: 'pin' }, field: 'promptCache', seen: /"cache_prompt":"pin"/ },
  ],
  reasoning: [
    {
      change: { reasoning: { mode: 'off' } },
      field: 'reasoning.mode',
      seen: /"reasoning_effort":"none"|"thinking":\{"type":"disabled"\}|"enable_thinking":false/,
    },
    {
      change: { reasoning: { mode: 'on', effort: 'high' } },
      field: 'reasoning',
      seen: /"reasoning_effort":"high"/,
    },
    {
      change: { reasoning: { mode: 'on', budgetTokens: 5000 } },
      field: 'reasoning.budgetTokens',
      seen: /"thinking_budget":5000/,
    },
  ],
  choices: [{ change: { choices: 3 }, field: 'choices', seen: /"n":3/ }],
  returnsTokens: [{ change: { returnsTokens: true }, field: 'returnsTokens', seen: /never/ }],
  prediction: [
    {
      change: { prediction: 'sent' },
      field: 'prediction',
      seen: on({ prediction: { type: 'content', content: 'sent' } }.prediction),
    },
  ],
  endUserId: [{ change: { endUserId: 'user-sent' }, field: 'endUserId', seen: /"user-sent"/ }],
  serviceTier: [{ change: { serviceTier: 'tier-sent' }, field: 'serviceTier', seen: /"service_tier":"tier-sent"/ }],
  metadata: [
    { change: { metadata: { label: 'sent' } }, field: 'metadata', seen: /never/ },
    {
      change: { metadata: { label: 'sent' }, extra: { openai: { store: true } } },
      field: 'metadata',
      seen: /"metadata":\{"label":"sent"\}/,
    },
  ],
  extra: [
    { change: { extra: { openai: { sentinel_field: 5 } } }, field: 'extra', seen: /"sentinel_field":5/ },
    { change: { extra: { anthropic: { speed: 'fast' } } }, field: 'extra.anthropic', seen: /never/ },
  ],
};

describe.each(presets)('every field of a request, on its way to %s,', (preset) => {
  it.each(Object.values(cases).flat())(
    'is in the body, refused or named: $field $change',
    ({ change, field, seen }) => {
      const request: ChatRequest = { model: 'asked', input: chat(), sampling: {}, stop: [], ...change };
      const deps = {
        provider: 'cloud',
        row: rowFor(services[preset], 'some-model'),
        model: 'some-model',
        maxOutputTokens: null,
        signatures: createCallSignatures(),
      };
      let wire: ReturnType<typeof toWire>;
      try {
        wire = toWire(request, deps);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        const { code, field: named, message } = error as AppError;
        expect({ code, message }).toEqual({ code: 'not_supported', message: expect.stringMatching(/^cloud /) });
        // The field itself, what it belongs to, or the text that a service of conversations cannot continue.
        const isText = named === 'input' && request.input.type === 'text';
        expect(isText || field.startsWith(named!), `${named} is refused in place of ${field}`).toBe(true);
        return;
      }
      const text = JSON.stringify(wire.body);
      const named = wire.warnings.map((warning) => warning.field);
      const isNamed = named.some((one) => one === field || one?.startsWith(`${field}.`));
      expect(isNamed || seen.test(text), `${field} is neither in ${text} nor in ${named}`).toBe(true);
    },
  );

  it('is not named as ignored where it is honoured', () => {
    const { warnings } = toWire(
      { model: 'asked', input: chat(), sampling: {}, stop: [], maxTokens: 5 },
      {
        provider: 'cloud',
        row: services[preset],
        model: 'm',
        maxOutputTokens: null,
        signatures: createCallSignatures(),
      },
    );
    expect(warnings).toEqual([]);
  });
});
