import type { Message } from '@aws-sdk/client-bedrock-runtime';
import { describe, expect, it } from 'vitest';
import { converseViolations } from './converse-rules.ts';

const limits = { cachePlaces: ['messages'], mostCachePoints: 1, hour: false };
const hi = { role: 'user', content: [{ text: 'hi' }] } as Message;
const call = (id: string) => ({ toolUse: { toolUseId: id, name: 'look', input: {} } });
const result = (id: string) => ({ toolResult: { toolUseId: id, content: [{ text: 'seen' }] } });
const point = (ttl?: '1h') => ({ cachePoint: { type: 'default', ...(ttl && { ttl }) } });
const toolConfig = { tools: [{ toolSpec: { name: 'look', inputSchema: { json: { type: 'object' } } } }] };

describe('the model of Converse’s checks', () => {
  // biome-ignore lint/suspicious/noExplicitAny: most are of no valid form
  const refused: [string, any][] = [
    ['no message', { messages: [] }],
    ['an assistant first', { messages: [{ role: 'assistant', content: [{ text: 'x' }] }] }],
    ['two turns of one role', { messages: [hi, hi] }],
    ['the old trick of one space', { messages: [{ role: 'user', content: [{ text: ' ' }] }] }],
    ['a blank system', { messages: [hi], system: [{ text: '\n' }] }],
    [
      'tools in the history alone',
      { messages: [hi, { role: 'assistant', content: [call('a')] }, { role: 'user', content: [result('a')] }] },
    ],
    ['a call without a result', { toolConfig, messages: [hi, { role: 'assistant', content: [call('a')] }, hi] }],
    ['a result without a call', { toolConfig, messages: [{ role: 'user', content: [result('a')] }] }],
    [
      'results in another order',
      {
        toolConfig,
        messages: [
          hi,
          { role: 'assistant', content: [call('a'), call('b')] },
          { role: 'user', content: [result('b'), result('a')] },
        ],
      },
    ],
    [
      'text behind a call',
      {
        toolConfig,
        messages: [
          hi,
          { role: 'assistant', content: [call('a'), { text: 'x' }] },
          { role: 'user', content: [result('a')] },
        ],
      },
    ],
    [
      'a cache point in a result',
      {
        toolConfig,
        messages: [
          hi,
          { role: 'assistant', content: [call('a')] },
          { role: 'user', content: [{ toolResult: { toolUseId: 'a', content: [{ text: 'x' }, point()] } }] },
        ],
      },
    ],
    [
      'two cache points of one',
      { messages: [{ role: 'user', content: [{ text: 'a' }, point(), { text: 'b' }, point()] }] },
    ],
    ['an hour where there is none', { messages: [{ role: 'user', content: [{ text: 'a' }, point('1h')] }] }],
    ['a cache point in tools', { messages: [hi], toolConfig: { tools: [...toolConfig.tools, point()] } }],
    [
      'a document without text',
      { messages: [{ role: 'user', content: [{ document: { name: 'a', source: { bytes: new Uint8Array(1) } } }] }] },
    ],
    [
      'a name with two spaces',
      {
        messages: [
          {
            role: 'user',
            content: [{ text: 'x' }, { document: { name: 'a  b', source: { bytes: new Uint8Array(1) } } }],
          },
        ],
      },
    ],
    ['an image by its address', { messages: [{ role: 'user', content: [{ image: { source: { url: 'x' } } }] }] }],
  ];
  it.each(refused)('refuses %s', (_name, input) => {
    expect(converseViolations(input, limits)).not.toEqual([]);
  });

  it('takes what is valid', () => {
    const messages = [
      hi,
      { role: 'assistant', content: [{ text: 'I look.' }, call('a'), call('b')] },
      { role: 'user', content: [result('a'), result('b'), { text: 'well?' }, point()] },
    ] as Message[];
    expect(converseViolations({ messages, toolConfig }, limits)).toEqual([]);
  });
});
