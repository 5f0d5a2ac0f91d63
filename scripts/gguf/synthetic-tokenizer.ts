import type { MetadataEntry } from './header.ts';

/** ChatML: every role in a block of its own. */
const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const controlTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const letters = [...'abcdefghijklmnopqrstuvwxyz'];

/**
 * A byte-level BPE vocabulary of exactly `tokenCount` tokens, for models without a real one: the 256 bytes, then
 * words of two to four letters with and without a space in front, then the control tokens of ChatML. Every token can
 * be reached by merges, so that prompts cost about as many tokens as letters divided by three.
 * `tokenCount`: at least 300; at most what four letters give, 900,000. `template`: ChatML unless told otherwise.
 */
export function syntheticTokenizer(tokenCount: number, template = chatTemplate): MetadataEntry[] {
  const { tokens, merges } = buildWords(tokenCount - controlTokens.length);
  const firstControl = tokens.length;
  const all = [...tokens, ...controlTokens];
  const normalType = 1;
  const controlType = 3;
  return [
    ['tokenizer.ggml.model', { type: 'text', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'text', value: 'qwen2' }],
    ['tokenizer.ggml.tokens', { type: 'texts', values: all }],
    [
      'tokenizer.ggml.token_type',
      { type: 'i32s', values: all.map((_, id) => (id < firstControl ? normalType : controlType)) },
    ],
    ['tokenizer.ggml.merges', { type: 'texts', values: merges }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: firstControl }],
    ['tokenizer.ggml.eos_token_id', { type: 'u32', value: firstControl + 2 }],
    ['tokenizer.ggml.padding_token_id', { type: 'u32', value: firstControl }],
    ['tokenizer.ggml.add_bos_token', { type: 'boolean', value: false }],
    ['tokenizer.chat_template', { type: 'text', value: template }],
  ];
}

function buildWords(count: number): { tokens: string[]; merges: string[] } {
  const space = byteSymbols()[0x20]!;
  const tokens = byteSymbols();
  const merges: string[] = [];
  const add = (left: string, right: string) => {
    if (tokens.length >= count) return;
    tokens.push(left + right);
    merges.push(`${left} ${right}`);
  };
  for (const letter of letters) add(space, letter);
  const pairs = letters.flatMap((first) => letters.map((second) => [first, second] as const));
  for (const [first, second] of pairs) add(first, second);
  for (const [first, second] of pairs) add(space + first, second);
  for (const [first, second] of pairs) for (const third of letters) add(first + second, third);
  for (const [first, second] of pairs) for (const third of letters) add(space + first + second, third);
  for (const [first, second] of pairs) for (const [third, fourth] of pairs) add(first + second, third + fourth);
  return { tokens, merges };
}

/** How byte-level BPE writes each byte: printable Latin-1 as itself, the others from U+0100 on. Source: GPT-2. */
function byteSymbols(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}
