import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findChatCommand } from '../../../src/cli/chat/commands.ts';
import { beginConversation, type Conversation, remember, wishOf } from '../../../src/cli/chat/conversation.ts';
import { readFormat, readParameter } from '../../../src/cli/chat/parameters.ts';
import { nearestWord } from '../../../src/cli/nearest-word.ts';
import { commandSayer } from '../../../src/core/say-command.ts';

const start = {
  model: 'tiny',
  system: null,
  options: { temperature: 0 },
  think: null,
  format: null,
  cloud: null,
  showsThinking: true,
  isVerbose: false,
};

const answered = (text: string, isStopped = false): Parameters<typeof remember>[2] => ({
  model: 'tiny',
  provider: 'local',
  text,
  thinking: '',
  leftOutMessages: 0,
  ignored: [],
  stats: {
    firstPieceMs: 20,
    totalMs: 1_020,
    end: isStopped
      ? null
      : { reason: 'stop', promptTokens: 30, answerTokens: 11, waitMs: 5, promptMs: 15, answerMs: 1_000 },
  },
  isStopped,
});

let chat: Conversation;
let said: string[];
let prepared: string[];
let folder: string;
const saved = new Set<string>();
beforeEach(async () => {
  chat = beginConversation(start);
  said = [];
  prepared = [];
  saved.clear();
  folder = await mkdtemp(join(tmpdir(), 'hearth-chat-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(name: string, rest = ''): Promise<undefined | 'bye'> {
  return findChatCommand(name)!.run(rest, {
    chat,
    saved,
    say: (lines) => void said.push(...lines),
    prepare: async (model) => void prepared.push(model),
    describe: async (model) => [`all about ${model}`],
    sayCommand: commandSayer('hearth'),
    nearest: nearestWord,
  });
}

describe('a conversation', () => {
  it('is sent whole with each question, its instructions first', async () => {
    remember(chat, 'One?', answered('1'));
    await run('system', 'Be short.');
    expect(wishOf(chat, 'Two?').messages).toEqual([
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'One?' },
      { role: 'assistant', content: '1' },
      { role: 'user', content: 'Two?' },
    ]);
  });

  it('keeps what was said before a stop, and forgets what was stopped before a word', () => {
    remember(chat, 'One?', answered('', true));
    expect(chat.messages).toEqual([]);
    remember(chat, 'Two?', answered('Tw', true));
    expect(chat.messages.at(-1)).toEqual({ role: 'assistant', content: 'Tw' });
  });
});

describe('a command of a chat', () => {
  it('clears, and keeps the settings', async () => {
    remember(chat, 'One?', answered('1'));
    await run('clear');
    expect(chat).toMatchObject({ messages: [], options: { temperature: 0 } });
  });

  it.each([
    ['temperature 0.7', { temperature: 0.7 }],
    ['temperature -', {}],
    ['parameter top_k 40', { temperature: 0, top_k: 40 }],
    ['max_tokens 20', { temperature: 0, num_predict: 20 }],
    ['stop \\n\\n', { temperature: 0, stop: '\n\n' }],
  ])('sets %s', async (rest, options) => {
    await run('set', rest);
    expect(chat.options).toEqual(options);
  });

  it.each([
    ['temprature 1', 'There is no setting "temprature".', 'Did you mean "temperature"?'],
    ['seed 1.5', 'seed is a whole number, not "1.5".', null],
    ['think maybe', '/set think takes "on" or "off".', null],
    ['format nowhere.json', 'The format is "json" or a file with a JSON schema; nowhere.json cannot be read.', null],
  ])('refuses "%s" in words', async (rest, message, fix) => {
    await expect(run('set', rest)).rejects.toMatchObject({ message, fix });
    expect(chat.options).toEqual({ temperature: 0 });
  });

  it('shows all settings', async () => {
    await run('set', 'think off');
    await run('set', 'thinking off');
    await run('set', 'verbose on');
    said = [];
    await run('set');
    expect(said.slice(0, -1)).toEqual([
      'temperature  0',
      'think        off',
      'thinking     hidden',
      'verbose      on',
      'format       free',
    ]);
  });

  it('goes on with another model once it is ready', async () => {
    await run('load', 'large');
    expect([prepared, chat.model]).toEqual([['large'], 'large']);
    await expect(run('load')).rejects.toThrow('Which model?');
  });

  it('saves as text or JSON, again in its own file, and never over one of somebody else', async () => {
    remember(chat, 'One?', answered('1'));
    const [text, json] = [join(folder, 'chat.txt'), join(folder, 'chat.json')];
    await run('save', text);
    await run('save', json);
    expect(await readFile(text, 'utf8')).toBe('Model: tiny\n\nYou:\nOne?\n\nAnswer:\n1\n');
    remember(chat, 'Two?', answered('2'));
    await run('save', json);
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({ model: 'tiny', messages: { length: 4 } });
    await writeFile(join(folder, 'mine.txt'), 'mine');
    await expect(run('save', join(folder, 'mine.txt'))).rejects.toThrow('is there already');
    expect(await readFile(join(folder, 'mine.txt'), 'utf8')).toBe('mine');
  });

  it('says what the last answer took, by the times of the server', async () => {
    await run('stats');
    expect(said).toEqual(['There was no answer so far.']);
    remember(chat, 'One?', answered('1'));
    said = [];
    await run('stats');
    expect(said).toEqual([
      'first token  20 ms',
      'waited       5 ms',
      'prompt       30 tokens, 15 ms',
      'answer       11 tokens, 1.0 s, 10.0 tokens/s',
      'total        1.0 s',
      'so far       1 answer, 30 prompt tokens, 11 answer tokens',
    ]);
  });

  it('is found by the names of others too, and not by those of objects', async () => {
    expect(await run('exit')).toBe('bye');
    expect(await run('quit')).toBe('bye');
    expect([findChatCommand('constructor'), findChatCommand('__proto__')]).toEqual([null, null]);
    await run('?');
    expect(said[0]).toMatch(/^\/help +this list$/);
  });
});

describe('a parameter', () => {
  it('of an object is none', () => {
    expect([readParameter('constructor', '1'), readParameter('toString', '1')]).toEqual([null, null]);
  });

  it('that is a format is read from its file', async () => {
    const path = join(folder, 'schema.json');
    await writeFile(path, '{"type":"object"}');
    expect(readFormat(path)).toEqual({ type: 'object' });
    await writeFile(path, '[1]');
    expect(() => readFormat(path)).toThrow('holds no object');
    await writeFile(path, '{');
    expect(() => readFormat(path)).toThrow('is not JSON');
  });
});
