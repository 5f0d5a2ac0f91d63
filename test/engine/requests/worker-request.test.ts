import { describe, expect, it } from 'vitest';
import type { ChatRequest, ReasoningWish } from '../../../src/core/chat.ts';
import type { DocumentPart, UserPart } from '../../../src/core/content.ts';
import { assertReadable, toWorkerRequest, warningsFor } from '../../../src/engine/requests/worker-request.ts';

const request: ChatRequest = {
  model: 'm',
  input: { type: 'chat', messages: [], tools: [], toolChoice: { type: 'auto' } },
  sampling: {},
  stop: [],
};
const options = { model: 'full-name', choice: 0, owner: null };
const seedOf = (seed: number, choice: number) =>
  toWorkerRequest({ ...request, sampling: { seed } }, { ...options, choice }).sampling.seed;

describe('what crosses to a worker', () => {
  it('has a seed of its own for each choice, and none where none was asked for', () => {
    expect([seedOf(7, 0), seedOf(7, 2), seedOf(2 ** 32 - 1, 1)]).toEqual([7, 9, 0]);
    expect(toWorkerRequest(request, { ...options, choice: 3 }).sampling).toEqual({});
  });

  it('says to the template whether the model is to think, unless the request does so itself', () => {
    const optionsOf = (changes: Partial<ChatRequest>) => {
      const { input } = toWorkerRequest({ ...request, ...changes }, options);
      return input.type === 'chat' ? input.templateOptions : null;
    };
    expect(optionsOf({})).toBeUndefined();
    expect(optionsOf({ reasoning: { mode: 'off' } })).toEqual({ enable_thinking: false });
    expect(optionsOf({ reasoning: { mode: 'on' } })).toEqual({ enable_thinking: true });
    expect(optionsOf({ reasoning: { mode: 'on', effort: 'xhigh' } })).toEqual({
      enable_thinking: true,
      reasoning_effort: 'high',
    });
    const chosen = { type: 'chat' as const, messages: [], tools: [], toolChoice: { type: 'auto' as const } };
    const input = { ...chosen, templateOptions: { enable_thinking: true } };
    expect(optionsOf({ reasoning: { mode: 'off' }, input })).toEqual({ enable_thinking: true });
  });

  it('warns of each wish that makes no difference here', () => {
    expect(warningsFor(request)).toEqual([]);
    const fields = warningsFor({
      ...request,
      serviceTier: 'fast',
    }).map(({ field }) => field);
    expect(fields).toEqual(['serviceTier']);
  });

  it.each<[ReasoningWish | undefined, number | undefined]>([
    [undefined, undefined],
    [{ mode: 'off' }, 0],
    [{ mode: 'on' }, undefined],
    [{ mode: 'on', effort: 'high' }, undefined],
    [{ mode: 'on', effort: 'low' }, 2_048],
    [{ mode: 'on', budgetTokens: 4_000 }, 4_000],
    [{ mode: 'on', budgetTokens: 4_000, effort: 'max' }, 4_000],
    [{ mode: 'on', budgetTokens: 4_000, effort: 'medium' }, 2_000],
    [{ mode: 'on', budgetTokens: 4_001, effort: 'low' }, 1_001],
  ])('for %j has %s as the most tokens of reasoning', (reasoning, tokens) => {
    expect(toWorkerRequest({ ...request, ...(reasoning && { reasoning }) }, options).reasoningTokens).toBe(tokens);
  });

  it('says the effort to templates that know one', () => {
    const { input } = toWorkerRequest({ ...request, reasoning: { mode: 'on', effort: 'low' } }, options);
    expect(input).toMatchObject({ templateOptions: { enable_thinking: true, reasoning_effort: 'low' } });
  });

  it('has documents of text as text, wherever they stand, and everything else as it was', () => {
    const document: DocumentPart = {
      type: 'document',
      mediaType: 'text/plain',
      source: { type: 'text', text: 'The sky is green.' },
      title: 'Weather',
      context: 'From a dream.',
    };
    const question: UserPart = { type: 'text', text: 'Why?' };
    const { input } = toWorkerRequest(
      {
        ...request,
        input: {
          type: 'chat',
          messages: [
            {
              role: 'user',
              content: [document, question, { type: 'tool-result', callId: 'c', isError: false, content: [document] }],
            },
          ],
          tools: [],
          toolChoice: { type: 'auto' },
        },
      },
      options,
    );
    const text = {
      type: 'text',
      text: '<document>\nTitle: Weather\nFrom a dream.\nThe sky is green.\n</document>\n',
    };
    expect(input.type === 'chat' && input.messages[0]!.content).toEqual([
      text,
      question,
      { type: 'tool-result', callId: 'c', isError: false, content: [text] },
    ]);
  });
});

describe('what a model of this machine reads', () => {
  const text: UserPart = { type: 'text', text: 'a' };
  const image = {
    type: 'image' as const,
    mediaType: 'image/png',
    source: { type: 'url' as const, url: 'https://a.b/c' },
  };
  const asked = (...content: UserPart[]): ChatRequest => ({
    ...request,
    input: { type: 'chat', messages: [{ role: 'user', content }], tools: [], toolChoice: { type: 'auto' } },
  });

  it('is text, wherever it stands, in a document too', () => {
    const document: DocumentPart = { type: 'document', mediaType: null, source: { type: 'text', text: 'd' } };
    expect(() => assertReadable(asked(document), 'm')).not.toThrow();
    expect(() =>
      assertReadable(
        asked(text, { type: 'tool-result', callId: 'c', isError: false, content: [{ type: 'text', text: 'b' }] }),
        'm',
      ),
    ).not.toThrow();
    expect(() => assertReadable({ ...request, input: { type: 'text', prompt: 'x' } }, 'm')).not.toThrow();
  });

  it.each<[string, UserPart[], string]>([
    ['an image', [text, image], 'input.messages.0.content.1'],
    [
      'an image in the result of a tool',
      [{ type: 'tool-result', callId: 'c', isError: false, content: [{ type: 'text', text: 'b' }, image] }],
      'input.messages.0.content.0.content.1',
    ],
    [
      'sound',
      [text, { type: 'opaque', dialect: 'openai', block: { type: 'input_audio' } }],
      'input.messages.0.content.1',
    ],
    [
      'a document',
      [{ type: 'document', mediaType: 'application/pdf', source: { type: 'bytes', base64: 'JVBERg==' } }],
      'input.messages.0.content.0',
    ],
    [
      'a document elsewhere',
      [text, { type: 'document', mediaType: null, source: { type: 'url', url: 'https://a.b/c.pdf' } }],
      'input.messages.0.content.1',
    ],
  ])('is never %s: the refusal names the model and the place', (_title, content, field) => {
    expect(() => assertReadable(asked(...content), 'tiny')).toThrow(
      expect.objectContaining({ code: 'invalid_request', field, message: expect.stringContaining('"tiny"') }),
    );
  });
});
