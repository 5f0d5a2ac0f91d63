import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AppError } from '../../core/errors.ts';
import type { SayCommand } from '../../core/say-command.ts';
import { type Conversation, transcript } from './conversation.ts';
import { parameterNames, readFormat, readParameter } from './parameters.ts';
import { statsLines } from './stats.ts';

/** What a command of a chat may use. */
export interface CommandSurroundings {
  chat: Conversation;
  /** Shows lines to the person. */
  say: (lines: readonly string[]) => void;
  /** Resolves when a model is there and ready, or is one of another provider. Rejects with an `AppError`. */
  prepare: (model: string) => Promise<void>;
  /** What is known of a model, in lines. */
  describe: (model: string) => Promise<string[]>;
  sayCommand: SayCommand;
  /** Files that this chat has written and may write again. */
  saved: Set<string>;
  /** The word that is written most like another; null: none is near. */
  nearest: (word: string, words: readonly string[]) => string | null;
}

interface ChatCommand {
  usage: string;
  help: string;
  /** `bye`: the chat is over. Throws an `AppError` for what is wrong. */
  run(rest: string, with_: CommandSurroundings): Promise<undefined | 'bye'> | undefined | 'bye';
}

/** Every command by its name. */
export const chatCommands: Readonly<Record<string, ChatCommand>> = {
  help: { usage: '/help', help: 'this list', run: (_rest, { say }) => void say(helpLines()) },
  clear: {
    usage: '/clear',
    help: 'forget what was said, keep the settings',
    run(_rest, { chat, say }) {
      chat.messages = [];
      say(['The conversation is empty.']);
      return undefined;
    },
  },
  system: { usage: '/system [TEXT]', help: 'what the model is told first; "-" takes it away', run: setSystem },
  set: { usage: '/set [PARAM [VALUE]]', help: 'a setting of the answers; "/set" shows them all', run: setParameter },
  load: {
    usage: '/load MODEL',
    help: 'go on with another model',
    async run(rest, { chat, say, prepare, sayCommand }) {
      if (rest === '')
        throw new AppError('invalid_request', `Which model? /load MODEL; ${sayCommand('list')} shows them.`);
      await prepare(rest);
      chat.model = rest;
      say([`The conversation goes on with ${rest}.`]);
      return undefined;
    },
  },
  save: { usage: '/save FILE', help: 'write the conversation to a file, as JSON if its name ends so', run: save },
  show: {
    usage: '/show',
    help: 'what is known of the model',
    async run(_rest, { chat, say, describe }) {
      say(await describe(chat.model));
      return undefined;
    },
  },
  stats: { usage: '/stats', help: 'what the last answer took', run: showStats },
  bye: { usage: '/bye', help: 'leave; Ctrl-D does too', run: () => 'bye' },
};

/** Names that people bring from elsewhere. */
const otherNames: Readonly<Record<string, string>> = {
  '?': 'help',
  '': 'help',
  exit: 'bye',
  quit: 'bye',
  model: 'load',
};

/** The command of that name, or null. */
export function findChatCommand(name: string): ChatCommand | null {
  const known = Object.hasOwn(otherNames, name) ? otherNames[name]! : name;
  return Object.hasOwn(chatCommands, known) ? chatCommands[known]! : null;
}

function helpLines(): string[] {
  const list = Object.values(chatCommands);
  const width = Math.max(...list.map(({ usage }) => usage.length));
  return [
    ...list.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`),
    '',
    'A backslash at the end of a line, or """ around several, makes one message of them.',
    'Ctrl-C stops an answer. Arrow keys bring back what you wrote.',
  ];
}

function setSystem(rest: string, { chat, say }: CommandSurroundings): undefined {
  if (rest === '') {
    say([chat.system === null ? 'There is no system text.' : chat.system]);
    return;
  }
  chat.system = rest === '-' ? null : rest;
  say([
    chat.system === null ? 'The system text is gone.' : 'The system text is set; it counts from the next message on.',
  ]);
}

const switches = ['on', 'off'];

function setParameter(rest: string, surroundings: CommandSurroundings): undefined {
  const { chat, say } = surroundings;
  const [, typedName = '', value = ''] = /^(\S*)\s*([\s\S]*)$/.exec(rest)!;
  // As Ollama has it: `/set parameter temperature 0`.
  if (typedName === 'parameter') return setParameter(value, surroundings);
  const name = typedName.toLowerCase();
  if (name === '') {
    say(settingLines(chat));
    return;
  }
  if (['think', 'thinking', 'verbose'].includes(name)) {
    if (!switches.includes(value)) throw new AppError('invalid_request', `/set ${name} takes "on" or "off".`);
    if (name === 'think') chat.think = value === 'on';
    else if (name === 'thinking') chat.showsThinking = value === 'on';
    else chat.isVerbose = value === 'on';
  } else if (name === 'format') {
    chat.format = ['', '-', 'default', 'off'].includes(value) ? null : readFormat(value);
  } else {
    setOption(surroundings, typedName, value);
  }
  say([`${name} is ${settingOf(chat, name)}.`]);
}

const ownSettings = ['think', 'thinking', 'verbose', 'format'];

function setOption({ chat, nearest }: CommandSurroundings, typedName: string, typed: string): void {
  const read = readParameter(typedName, typed);
  if (read === null) {
    const all = [...parameterNames, ...ownSettings];
    const near = nearest(typedName, all);
    throw new AppError('invalid_request', `There is no setting "${typedName}".`, {
      fix: near === null ? `There are ${all.join(', ')}.` : `Did you mean "${near}"?`,
    });
  }
  if (read.value === null) delete chat.options[read.name];
  else chat.options[read.name] = read.value;
}

function settingOf(chat: Conversation, name: string): string {
  const onOff = (value: boolean) => (value ? 'on' : 'off');
  if (name === 'think') return chat.think === null ? 'as the model does by itself' : onOff(chat.think);
  if (name === 'thinking') return chat.showsThinking ? 'shown' : 'hidden';
  if (name === 'verbose') return onOff(chat.isVerbose);
  if (name === 'format') return chat.format === null ? 'free' : chat.format === 'json' ? 'json' : 'a schema';
  const known = readParameter(name, '')?.name ?? name;
  return Object.hasOwn(chat.options, known) ? JSON.stringify(chat.options[known]) : 'as by default';
}

function settingLines(chat: Conversation): string[] {
  const names = [...Object.keys(chat.options), ...ownSettings];
  const width = Math.max(...names.map((name) => name.length));
  return [
    ...names.map((name) => `${name.padEnd(width)}  ${settingOf(chat, name)}`),
    `others are as by default: ${parameterNames.filter((name) => !Object.hasOwn(chat.options, name)).join(', ')}`,
  ];
}

function save(rest: string, { chat, say, saved }: CommandSurroundings): undefined {
  if (rest === '') throw new AppError('invalid_request', 'Into which file? /save FILE');
  const filePath = resolve(rest);
  try {
    // A file that was there before belongs to somebody.
    writeFileSync(filePath, transcript(chat, filePath), { flag: saved.has(filePath) ? 'w' : 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new AppError(
      'invalid_request',
      isThere ? `${rest} is there already.` : `${rest} cannot be written: ${(error as Error).message}.`,
      { fix: isThere ? 'Choose another name.' : 'Choose another place.', cause: error },
    );
  }
  saved.add(filePath);
  say([`The conversation is in ${rest}.`]);
}

function showStats(_rest: string, { chat, say }: CommandSurroundings): undefined {
  if (chat.last === null) {
    say(['There was no answer so far.']);
    return;
  }
  const { answers, promptTokens, answerTokens } = chat.totals;
  say([
    ...statsLines(chat.last.stats),
    ...(chat.last.provider === 'local' ? [] : [`answered by  ${chat.last.provider}, outside of this house`]),
    `so far       ${answers} ${answers === 1 ? 'answer' : 'answers'}, ${promptTokens} prompt tokens, ${answerTokens} answer tokens`,
  ]);
}
