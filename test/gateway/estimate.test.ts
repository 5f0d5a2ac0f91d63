import { describe, expect, it } from 'vitest';
import type { ChatRequest, OriginalRequest } from '../../src/core/chat.ts';
import type { UserPart } from '../../src/core/content.ts';
import { estimateEmbedding, estimateOutput, estimatePrompt, likelyPrompt } from '../../src/gateway/estimate.ts';
import { likelyThirdsOf, mostTokensOf } from '../../src/gateway/text-tokens.ts';
import { textsOfTheWorld } from '../support/texts-of-the-world.ts';

/** Most tokens that any of the vocabularies of Llama 2 and 3, Phi 3, Qwen 2 and Gemma 4 has, as `test/e2e/token-estimates.test.ts` counts them. */
const counted: readonly (readonly [string, number])[] = [
  ['english', 129],
  ['english-news', 221],
  ['german', 221],
  ['finnish', 261],
  ['turkish', 265],
  ['hungarian', 233],
  ['polish', 217],
  ['vietnamese', 305],
  ['swahili', 217],
  ['zulu', 201],
  ['yoruba', 301],
  ['chinese', 337],
  ['japanese', 257],
  ['korean', 337],
  ['russian', 165],
  ['greek', 441],
  ['arabic', 441],
  ['hebrew', 341],
  ['hindi', 581],
  ['bengali', 505],
  ['tamil', 549],
  ['telugu', 869],
  ['thai', 365],
  ['khmer', 625],
  ['burmese', 988],
  ['tibetan', 768],
  ['amharic', 705],
  ['georgian', 580],
  ['armenian', 520],
  ['mongolian-trad', 461],
  ['cherokee', 317],
  ['cuneiform', 113],
  ['emoji', 265],
  ['math', 265],
  ['ipa', 236],
  ['box', 188],
  ['upper-text', 193],
  ['minjs', 352],
  ['url', 176],
  ['chess', 253],
  ['latex', 201],
  ['diacritics', 140],
  ['digits', 801],
  ['decimals', 999],
  ['hex', 728],
  ['base64', 883],
  ['random letters', 612],
  ['random small letters', 485],
  ['random capitals', 570],
  ['words without vowels', 534],
  ['random signs of ASCII', 694],
  ['punctuation', 595],
  ['single letters', 400],
  ['names in code', 430],
  ['JSON without blanks', 1097],
  ['JSON with blanks', 912],
  ['blanks', 32],
  ['line breaks', 301],
  ['mixed line breaks', 600],
  ['control characters', 301],
  ['DNA', 431],
  ['comma-separated numbers', 1410],
  ['private use', 301],
];

const request = (content: UserPart[], changes: Partial<ChatRequest> = {}): ChatRequest => ({
  model: 'm',
  input: { type: 'chat', messages: [{ role: 'user', content }], tools: [], toolChoice: { type: 'auto' } },
  sampling: {},
  stop: [],
  ...changes,
});
const text = (value: string): UserPart => ({ type: 'text', text: value });
const pdf = (body: string): UserPart => ({
  type: 'document',
  mediaType: 'application/pdf',
  source: { type: 'bytes', base64: Buffer.from(`%PDF-1.7\n${body}`, 'latin1').toString('base64') },
});
const none = estimatePrompt(request([]));
const more = (part: UserPart): number => estimatePrompt(request([part])) - none;

describe('the most tokens of a text', () => {
  it.each(counted)('are no fewer than any vocabulary has: %s', (name, tokens) => {
    // One more: some vocabularies begin each text with a token of their own, which estimates of prompts have apart.
    expect(mostTokensOf(textsOfTheWorld[name]!) + 1).toBeGreaterThanOrEqual(tokens);
  });

  it('are at most twice as many in languages that are written in ASCII, so that budgets are of use', () => {
    for (const name of ['english', 'english-news', 'swahili', 'zulu', 'finnish']) {
      const [, tokens] = counted.find(([of]) => of === name)!;
      expect([name, mostTokensOf(textsOfTheWorld[name]!) / tokens < 2.1]).toEqual([name, true]);
    }
  });

  it('of nothing are none', () => {
    expect(mostTokensOf('')).toBe(0);
  });
});

describe('what was seen of an answer', () => {
  it.each([
    ['Hello you', 3],
    ['人工智能', 4],
    ['Привет', 6],
    ['a😀b', 2],
  ])('is likely to have a token for three letters of ASCII, and one for each other letter: %s', (seen, tokens) => {
    expect(Math.round(likelyThirdsOf(seen) / 3)).toBe(tokens);
  });
});

describe('the estimate of a prompt', () => {
  it('counts everything that a message may have', () => {
    expect(more(text('estimates'))).toBe(mostTokensOf('estimates'));
    expect(more({ type: 'image', mediaType: null, source: { type: 'url', url: 'https://x.example/a.png' } })).toBe(
      5_000,
    );
    expect(
      more({ type: 'tool-result', callId: 'c', isError: false, content: [{ type: 'text', text: 'result' }] }),
    ).toBeGreaterThanOrEqual(mostTokensOf('result'));
    expect(more({ type: 'document', mediaType: 'text/plain', source: { type: 'text', text: 'a b' } })).toBe(2);
  });

  it('counts the marks around each message', () => {
    const two = request([]);
    if (two.input.type === 'chat') two.input.messages.push({ role: 'user', content: [] });
    expect(estimatePrompt(two) - none).toBeGreaterThanOrEqual(5);
  });

  it.each<[string, UserPart, number]>([
    ['by its pages, where they can be seen', pdf('1 0 obj<</Type /Page>> 2 0 obj<</Type/Page>> <</Type/Pages>>'), 2],
    ['by what it says itself', pdf('<</Linearized 1/L 9/H [1 2]/O 3/E 4/N 12/T 5>>'), 12],
    ['by its size, where it is packed', pdf('x'.repeat(3_072 * 5 - 9)), 5],
    [
      'as the longest that is read, where it lies elsewhere',
      {
        type: 'document',
        mediaType: null,
        source: { type: 'url', url: 'https://x.example/a.pdf' },
      },
      600,
    ],
  ])('counts a document %s', (_how, part, pages) => {
    expect(more(part)).toBe(pages * 5_000);
  });

  it('counts tools with what providers add to them', () => {
    const tools = [{ name: 'weather', description: 'Tells the weather.', parameters: { type: 'object' } }];
    const { input } = request([]);
    const estimate = estimatePrompt(request([], { input: { ...input, tools } as never }));
    expect(estimate - none).toBeGreaterThanOrEqual(346 + mostTokensOf(JSON.stringify(tools)));
  });

  it('counts a body that nobody here understands by its texts, its images and its documents', () => {
    const bodyOf = (body: Record<string, unknown>) => {
      const original = { dialect: 'anthropic', path: '/v1/messages', body, headers: {} } as unknown as OriginalRequest;
      return estimatePrompt(request([], { original, onlyRelayed: true }));
    };
    const empty = bodyOf({});
    const chinese = '人工智能模型'.repeat(50);
    expect(bodyOf({ messages: [{ content: [{ type: 'new', note: chinese }] }] }) - empty).toBeGreaterThan(900);
    const image = Buffer.alloc(3_000, 'image').toString('base64');
    expect(bodyOf({ source: { data: image } }) - empty).toBeLessThan(5_100);
    expect(bodyOf({ source: { data: image } }) - empty).toBeGreaterThanOrEqual(5_000);
    expect(bodyOf({ image_url: `data:image/png;base64,${image}` }) - empty).toBeLessThan(5_100);
    const file = Buffer.from(`%PDF-1.7\n${'x'.repeat(3_072 * 3 - 9)}`).toString('base64');
    expect(bodyOf({ source: { data: file } }) - empty).toBeGreaterThanOrEqual(3 * 5_000);
    // Tools of a provider have descriptions that the request does not carry.
    const own = bodyOf({ tools: [{ type: 'computer_20251124', name: 'computer' }] });
    expect(own - bodyOf({ tools: [{ name: 'computer', input_schema: {} }] })).toBeGreaterThan(900);
  });

  it('counts tokens that come as numbers one by one', () => {
    expect(estimateEmbedding({ inputs: [[10_000, 20_000, 30_000]] }) - estimateEmbedding({ inputs: [[]] })).toBe(3);
    const input = { type: 'text', prompt: [1, 2, 3] } as const;
    expect(estimatePrompt(request([], { input }))).toBe(16 + 3);
  });
});

describe('what a prompt is likely to have taken', () => {
  it('is nearer than the most that it may have, and never more', () => {
    const english = request([text(textsOfTheWorld['english']!)]);
    expect(likelyPrompt(english)).toBeLessThan(estimatePrompt(english));
    const chinese = request([text('人工智能'.repeat(100))]);
    expect([likelyPrompt(chinese), estimatePrompt(chinese)]).toEqual([424, 1_224]);
    const elsewhere = { type: 'url', url: 'https://x.example/a.pdf' } as const;
    expect(likelyPrompt(request([{ type: 'document', mediaType: null, source: elsewhere }]))).toBe(25_024);
  });
});

describe('the estimate of an answer', () => {
  it('is what the request asks for, else what the model gives, of each choice', () => {
    expect(estimateOutput(request([], { maxTokens: 5, choices: 3 }), 100)).toBe(15);
    expect(estimateOutput(request([]), 100)).toBe(100);
    expect(estimateOutput(request([]), null)).toBe(16_384);
  });
});
