import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeGguf } from '../../scripts/gguf/write-gguf.ts';
import { decoder } from '../../scripts/tiny-models/decoder.ts';
import { bytePairTokenizer } from '../../scripts/tiny-models/tokenizers.ts';
import { postJson } from '../support/client.ts';
import { type RunningServer, startServer } from '../support/server.ts';

/** What a template says of its form; the words around it are the same for all. */
const forms: Record<string, string> = {
  hermes: '<tool_call>',
  'qwen-coder': '<tool_call><function=name><parameter=key>',
  'glm-lines': '<tool_call>name\\n<arg_key>key</arg_key>\\n<arg_value>value</arg_value>',
  glm: '<tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value>',
  'glm-4': '[gMASK]<|observation|>',
  chatglm3: '[gMASK]<|observation|>tool_call()',
  llama: '{"name": name, "parameters": given}',
  'mistral-list': '[TOOL_CALLS][]',
  'mistral-named': '[TOOL_CALLS]name[ARGS]',
  granite: '<|tool_call|>[]',
  gemma: '<|tool_call>call:name',
  lfm: '<|tool_list_start|>',
  harmony: '<|channel|>analysis<|message|><|channel|>commentary functions.',
  deepseek: '<｜tool▁call▁begin｜>```json',
  'deepseek-plain': '<｜tool▁call▁begin｜>',
  dsml: '｜DSML｜tool_calls>',
  kimi: '<|tool_calls_section_begin|>',
  minimax: '<minimax:tool_call>',
  'minimax-tree': ']<]minimax[>[<tool_call>',
  apertus: '<|tools_prefix|>',
  command: '<|START_ACTION|>',
  apriel: '<tool_calls>[',
  gigachat: 'function call<|role_sep|>',
  seed: '<seed:tool_call><function=name><parameter=key>',
};

const templateOf = (said: string) =>
  `{%- if tools %}{{- '${said.replaceAll("'", "\\'")}' }}{{- '"parameters": ' }}{%- endif %}` +
  "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}" +
  '{%- for call in message.tool_calls or [] %}{{- call.function.name }}{%- endfor %}{%- endfor %}' +
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

const tools = [
  {
    name: 'look',
    parameters: {
      type: 'object',
      properties: {
        at: { enum: ['sky', 'sea'] },
        far: { type: 'boolean' },
        count: { type: 'integer', minimum: 1, maximum: 9 },
      },
      required: ['at', 'far'],
      additionalProperties: false,
    },
  },
  { name: 'stop', parameters: { type: 'object', properties: {}, additionalProperties: false } },
].map((definition) => ({ type: 'function', function: definition }));

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-forms-'));
  for (const [name, said] of Object.entries(forms)) {
    const tokenizer = bytePairTokenizer(templateOf(said));
    const file = decoder({ architecture: 'qwen2', tokenizer, storage: 'q8_0', seed: 27, layers: 2, hasBias: true });
    await writeGguf({ filePath: join(folder, `${name}.gguf`), ...file });
  }
  server = await startServer({ models: folder, env: { HEARTH_PARALLEL: '1' } });
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Reply {
  choices: {
    finish_reason: string;
    message: { content: string | null; tool_calls?: { function: { name: string; arguments: string } }[] };
  }[];
}

describe.each(Object.keys(forms))('a model with random weights that calls in the form of %s', (model) => {
  afterAll(async () => {
    await postJson(`${server.baseUrl}/models/${model}/unload`, {});
  });
  const call = async (toolChoice: unknown, seed: number) => {
    const { status, body } = await postJson(`${server.baseUrl}/v1/chat/completions`, {
      model,
      messages: [{ role: 'user', content: 'a b c' }],
      tools,
      tool_choice: toolChoice,
      seed,
      temperature: 2,
      max_tokens: 500,
    });
    expect(status, JSON.stringify(body)).toBe(200);
    return (body as Reply).choices[0]!;
  };
  const expectCall = ({ message }: Reply['choices'][number]) => {
    const { name, arguments: given } = message.tool_calls![0]!.function;
    if (name === 'stop') expect(JSON.parse(given)).toEqual({});
    else {
      expect(name).toBe('look');
      const { count, ...rest } = JSON.parse(given) as { count?: number };
      expect(rest).toEqual({ at: expect.stringMatching(/^(sky|sea)$/), far: expect.any(Boolean) });
      if (count !== undefined) expect(Number.isInteger(count)).toBe(true);
    }
    return name;
  };

  it('is held by the grammar to a call of some tool, whatever it would like to write', async () => {
    for (const seed of [1, 2, 3, 4]) expectCall(await call('required', seed));
  });

  it('is held to the named tool', async () => {
    for (const seed of [5, 6]) {
      expect(expectCall(await call({ type: 'function', function: { name: 'look' } }, seed))).toBe('look');
    }
  });
});
