import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { toPrintable } from '../../core/printable.ts';
import type { SayCommand } from '../../core/say-command.ts';
import { answer } from './answer.ts';
import type { ChatClient } from './chat-api.ts';
import { type CommandSurroundings, chatCommands, findChatCommand } from './commands.ts';
import { beginConversation, type ChatStart, type Conversation, remember, wishOf } from './conversation.ts';
import { createEntryReader, type Entry } from './entry.ts';
import { parameterNames } from './parameters.ts';
import type { Prompt } from './prompt.ts';
import { type Screen, safeText } from './screen.ts';
import { statsLines } from './stats.ts';

interface SessionDeps {
  client: ChatClient;
  prompt: Prompt;
  screen: Screen;
  clock: Clock;
  /** As for the commands. An abort of the signal rejects. */
  prepare: (model: string, signal: AbortSignal) => Promise<void>;
  describe: CommandSurroundings['describe'];
  nearest: CommandSurroundings['nearest'];
  sayCommand: SayCommand;
}

/** A chat until the person leaves. Failures are said, and the chat goes on. */
export async function runSession(deps: SessionDeps, start: ChatStart): Promise<void> {
  const { prompt, screen } = deps;
  const chat = beginConversation(start);
  const saved = new Set<string>();
  const entries = createEntryReader();
  let isLeaving = false;
  while (true) {
    const typed = await prompt.read(entries.isOpen() ? '... ' : '>>> ');
    if (typed.type === 'end') {
      screen.note('\n');
      return;
    }
    if (typed.type === 'interrupt') {
      const hadBegun = typed.hadText || entries.isOpen();
      entries.reset();
      if (isLeaving && !hadBegun) return;
      isLeaving = !hadBegun;
      if (isLeaving) screen.note('Ctrl-C again, Ctrl-D or /bye leaves.\n');
      continue;
    }
    isLeaving = false;
    const entry = entries.feed(typed.text);
    if ((await act(deps, chat, saved, entry)) === 'bye') return;
  }
}

async function act(
  deps: SessionDeps,
  chat: Conversation,
  saved: Set<string>,
  entry: Entry,
): Promise<undefined | 'bye'> {
  if (entry.type === 'message') await ask(deps, chat, entry.text);
  if (entry.type !== 'command') return undefined;
  const { screen, prompt } = deps;
  const found = findChatCommand(entry.name);
  if (found === null) {
    const near = deps.nearest(entry.name, Object.keys(chatCommands));
    const question = near === null ? '"/help" shows them.' : `Did you mean "/${near}"?`;
    screen.note(`There is no command "/${toPrintable(entry.name)}". ${question} A space before it sends it as text.\n`);
    return undefined;
  }
  return guarded(screen, () =>
    prompt.during(async (signal) =>
      found.run(entry.rest, {
        chat,
        saved,
        say: (lines) => screen.note(lines.map((line) => `${safeText(line)}\n`).join('')),
        prepare: (model) => deps.prepare(model, signal),
        describe: deps.describe,
        nearest: deps.nearest,
        sayCommand: deps.sayCommand,
      }),
    ),
  );
}

async function ask(deps: SessionDeps, chat: Conversation, question: string): Promise<void> {
  const { prompt, screen } = deps;
  await guarded(screen, async () => {
    const answered = await prompt.during((signal) =>
      answer(deps, wishOf(chat, question), signal, { showsThinking: chat.showsThinking }),
    );
    remember(chat, question, answered);
    const { leftOutMessages, ignored, isStopped, provider, stats } = answered;
    const notes = [
      ...(isStopped ? ['(stopped)'] : []),
      ...(stats.end?.reason === 'length' ? ['(ended by the limit of tokens or a full context)'] : []),
      ...(leftOutMessages > 0 ? [`(the ${leftOutMessages} oldest messages did not fit and were left out)`] : []),
      ...(ignored.length > 0 ? [`(without effect here: ${ignored.join(', ')})`] : []),
      ...(provider === 'local' ? [] : [`(answered by ${provider}, outside of this house)`]),
      ...(chat.isVerbose ? statsLines(stats) : []),
    ];
    screen.note(notes.map((line) => `${toPrintable(line)}\n`).join(''));
    screen.write('\n');
  });
}

/** Says what failed, and goes on. */
async function guarded<T>(screen: Screen, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof AppError) {
      screen.note(`${toPrintable(error.fix === null ? error.message : `${error.message} ${error.fix}`)}\n\n`);
      return undefined;
    }
    // The person pressed Ctrl-C while a command worked.
    if (error instanceof Error && error.message === 'stopped by the person') {
      screen.note('(stopped)\n\n');
      return undefined;
    }
    throw error;
  }
}

/** What a begun line of a chat may go on as. */
export function completions(line: string): string[] {
  const setting = /^\/set\s+(?<begun>\S*)$/.exec(line)?.groups?.['begun'];
  if (setting !== undefined)
    return parameterNames.filter((name) => name.startsWith(setting)).map((name) => `/set ${name} `);
  if (!/^\/\S*$/.test(line)) return [];
  return Object.keys(chatCommands)
    .map((name) => `/${name} `)
    .filter((name) => name.startsWith(line));
}
