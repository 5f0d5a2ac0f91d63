import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../../src/core/chat.ts';
import type { UserPart } from '../../../src/core/content.ts';
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
    const chosen = { type: 'chat' as const, messages: [], tools: [], toolChoice: { type: 'auto' as const } };
    const input = { ...chosen, templateOptions: { enable_thinking: true } };
    expect(optionsOf({ reasoning: { mode: 'off' }, input })).toEqual({ enable_thinking: true });
  });

  it('warns of each wish that makes no difference here', () => {
    expect(warningsFor(request)).toEqual([]);
    const fields = warningsFor({
      ...request,
      reasoning: { mode: 'on', budgetTokens: 100, effort: 'low' },
      serviceTier: 'fast',
      prediction: 'text',
    }).map(({ field }) => field);
    expect(fields).toEqual(['reasoning.budgetTokens', 'reasoning.effort', 'serviceTier', 'prediction']);
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

  it('is text, wherever it stands', () => {
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
      'a document',
      [{ type: 'document', mediaType: null, source: { type: 'text', text: 'd' } }],
      'input.messages.0.content.0',
    ],
  ])('is never %s: the refusal names the model and the place', (_title, content, field) => {
    expect(() => assertReadable(asked(...content), 'tiny')).toThrow(
      expect.objectContaining({ code: 'invalid_request', field, message: expect.stringContaining('"tiny"') }),
    );
  });
});
