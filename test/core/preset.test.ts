import { describe, expect, it } from 'vitest';
import type { ChatInput, ChatRequest } from '../../src/core/chat.ts';
import { withPreset } from '../../src/core/preset.ts';

const user = { role: 'user' as const, content: [{ type: 'text' as const, text: 'Hi' }] };
const system = (text: string) => ({ role: 'system' as const, content: [{ type: 'text' as const, text }] });
const chat: Extract<ChatInput, { type: 'chat' }> = {
  type: 'chat',
  messages: [user],
  tools: [],
  toolChoice: { type: 'auto' },
};
const request: ChatRequest = { model: 'mine', input: chat, sampling: { topK: 5 }, stop: [] };

describe('a preset', () => {
  it('fills what the request leaves open', () => {
    const preset = {
      system: 'Be short.',
      sampling: { temperature: 0, topK: 9 },
      stop: ['END'],
      maxTokens: 7,
      template: 'T',
    };
    expect(withPreset(request, preset)).toEqual({
      model: 'mine',
      input: { ...chat, messages: [system('Be short.'), user], template: 'T' },
      sampling: { temperature: 0, topK: 5 },
      stop: ['END'],
      maxTokens: 7,
    });
  });

  it('leaves what the request says', () => {
    const own: ChatRequest = {
      ...request,
      input: { ...chat, messages: [system('Own.'), user], template: 'O' },
      stop: ['X'],
      maxTokens: 3,
    };
    expect(withPreset(own, { system: 'Be short.', stop: ['END'], maxTokens: 7, template: 'T' })).toEqual(own);
    expect(withPreset(request, {})).toEqual(request);
  });

  it('has no words for a text that is continued as it stands', () => {
    const raw: ChatRequest = { ...request, input: { type: 'text', prompt: 'Once' } };
    expect(withPreset(raw, { system: 'Be short.', template: 'T' })).toEqual(raw);
  });
});
