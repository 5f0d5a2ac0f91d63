import { type Command, InvalidArgumentError, Option } from 'commander';
import { AppError } from '../core/errors.ts';
import { toPrintable } from '../core/printable.ts';
import {
  type Answered,
  answer,
  answerObject,
  beginConversation,
  type ChatStart,
  type CloudMark,
  completions,
  openPrompt,
  readFormat,
  readParameter,
  runSession,
  type Screen,
  statsLines,
  wishOf,
} from './chat/chat.ts';
import type { HearthClient } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { chooseFirstModel } from './first-model.ts';
import { loadingLine } from './loading-line.ts';
import { cloudModelOf } from './model-api.ts';
import { nearestWord } from './nearest-word.ts';
import { describeModel } from './show.ts';
import { namingModel } from './unknown-model.ts';

interface RunFlags {
  system?: string;
  temperature?: number;
  maxTokens?: number;
  set?: Record<string, unknown>;
  format?: string;
  think?: boolean;
  thinking: boolean;
  cloud?: CloudMark;
  verbose?: boolean;
  json?: boolean;
}

/** `hearth run`: a chat at a terminal, one answer to what is named or piped in. Exit code 130: Ctrl-C stopped the answer. */
export function addRunCommand(program: Command, deps: CommandDeps): void {
  program
    .command('run [model] [prompt...]')
    .alias('chat')
    .description('chat with a model; with a prompt, or with something piped in, answer that and end')
    .option('--system <text>', 'what the model is told first')
    .option('--temperature <number>', '0: always the likeliest word', numberOf('temperature'))
    .option('--max-tokens <number>', 'most tokens of an answer', numberOf('num_predict'))
    .option('--set <name=value>', 'another parameter, by the names of /set; may be repeated', addSetting)
    .option('--format <json|file>', 'hold answers to JSON, or to the JSON schema in a file')
    .option('--think', 'let a model think that can')
    .option('--no-think', 'keep it from thinking')
    .option('--no-thinking', 'do not show what it thinks')
    .addOption(
      new Option('--cloud <mark>', 'whether the answer may come from outside of this house').choices([
        'never',
        'allow',
        'require',
      ]),
    )
    .option('--verbose', 'say what each answer took')
    .option('--json', 'print the answer, its tokens and times as JSON')
    .action(async (model: string | undefined, words: string[], flags: RunFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        const question = words.join(' ').trim();
        refusePromptAsModel(model, deps);
        const isChat = deps.keyboard !== null && question === '' && !flags.json;
        const chosen =
          model ?? (flags.cloud === 'require' || flags.json ? 'default' : await chooseFirstModel(deps, client, isChat));
        if (chosen === null) return 130;
        const start = startOf(chosen, flags);
        if (deps.keyboard !== null && question === '') {
          if (!flags.json) return converse(deps, client, start, deps.keyboard);
          throw new AppError('invalid_request', '--json answers one prompt: name it, or pipe it in.');
        }
        const piped = deps.keyboard === null ? (await deps.readInput()).trim() : '';
        const prompt = [question, piped].filter((part) => part !== '').join('\n\n');
        if (prompt === '') throw new AppError('invalid_request', 'There is no prompt: nothing was piped in.');
        return answerOnce(deps, client, start, prompt, flags.json ?? false);
      });
    });
}

/** No model is called like a sentence. */
function refusePromptAsModel(model: string | undefined, { sayCommand }: CommandDeps): void {
  if (model === undefined || !/\s/.test(model.trim())) return;
  throw new AppError('invalid_request', 'The model comes before the prompt.', {
    fix: `Try ${sayCommand('run default PROMPT')}.`,
  });
}

function startOf(model: string, flags: RunFlags): ChatStart {
  return {
    model,
    system: flags.system ?? null,
    options: {
      ...flags.set,
      ...(flags.temperature !== undefined && { temperature: flags.temperature }),
      ...(flags.maxTokens !== undefined && { num_predict: flags.maxTokens }),
    },
    think: flags.think ?? null,
    format: flags.format === undefined ? null : readFormat(flags.format),
    cloud: flags.cloud ?? null,
    showsThinking: flags.thinking,
    isVerbose: flags.verbose ?? false,
  };
}

/** Reads a flag by the rules of a parameter. */
function numberOf(name: string) {
  return (typed: string): unknown => {
    try {
      const read = readParameter(name, typed);
      if (read && read.value !== null) return read.value;
    } catch {
      // Said below, in the words of flags.
    }
    throw new InvalidArgumentError('It is a number.');
  };
}

function addSetting(typed: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(typed) ?? [];
  let read: ReturnType<typeof readParameter> = null;
  try {
    read = readParameter(name, value);
  } catch (error) {
    throw new InvalidArgumentError((error as AppError).message);
  }
  if (read === null) throw new InvalidArgumentError('It is a parameter and its value, such as top_p=0.9.');
  return { ...before, [read.name]: read.value };
}

function screenOf({ terminal, env }: CommandDeps): Screen {
  return {
    write: terminal.write,
    note: terminal.note,
    isWatched: terminal.isInteractive,
    areNotesWatched: terminal.areNotesWatched,
    columns: terminal.columns,
    hasStyles: terminal.isInteractive && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
  };
}

async function converse(
  deps: CommandDeps,
  client: HearthClient,
  start: ChatStart,
  keyboard: NonNullable<CommandDeps['keyboard']>,
): Promise<number> {
  const screen = screenOf(deps);
  const prompt = openPrompt(keyboard, completions);
  try {
    const prepare = (model: string, signal: AbortSignal) => prepareModel(deps, client, model, signal, start.cloud);
    const isReady = await prompt.during(async (signal) => {
      try {
        await prepare(start.model, signal);
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        throw error;
      }
    });
    if (!isReady) return 130;
    screen.note(`Chat with ${toPrintable(start.model)}. /help shows the commands, Ctrl-D leaves.\n`);
    await runSession(
      {
        client,
        prompt,
        screen,
        clock: deps.clock,
        prepare,
        describe: (name) => describeModel(client, deps.sayCommand, name),
        nearest: nearestWord,
        sayCommand: deps.sayCommand,
      },
      start,
    );
    return 0;
  } finally {
    prompt.close();
  }
}

/** Loads a model before the first word to it; one of another provider needs no loading. */
async function prepareModel(
  deps: CommandDeps,
  client: HearthClient,
  model: string,
  signal: AbortSignal,
  cloud: CloudMark | null,
): Promise<void> {
  if (cloud === 'require') return;
  const line = loadingLine(deps, client, model);
  try {
    await namingModel(client, deps.sayCommand, model, () => client.prepare(model, signal));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'model_not_found') throw error;
    if (cloudModelOf(await client.modelRecords(), model) === null) throw error;
  } finally {
    line.stop();
  }
}

async function answerOnce(
  deps: CommandDeps,
  client: HearthClient,
  start: ChatStart,
  prompt: string,
  json: boolean,
): Promise<number> {
  const { terminal } = deps;
  const stopping = new AbortController();
  void deps.interrupted().then(() => stopping.abort());
  const wish = wishOf(beginConversation(start), prompt);
  const answered = await namingModel(client, deps.sayCommand, start.model, () =>
    answer({ client, screen: screenOf(deps), clock: deps.clock }, wish, stopping.signal, {
      showsThinking: start.showsThinking,
      isSilent: json,
    }),
  );
  if (json) print(terminal, true, answerObject(answered), []);
  for (const note of notesOf(answered, json)) terminal.fail(toPrintable(note));
  if (start.isVerbose)
    terminal.note(
      statsLines(answered.stats)
        .map((line) => `${line}\n`)
        .join(''),
    );
  return answered.isStopped ? 130 : 0;
}

/** What the answer itself does not show; JSON has it in its fields. */
function notesOf({ ignored, leftOutMessages, provider, stats }: Answered, json: boolean): string[] {
  const without = ignored.length === 0 ? [] : [`without effect here: ${ignored.join(', ')}`];
  if (json) return without;
  return [
    ...without,
    ...(stats.end?.reason === 'length' ? ['the answer ended at the limit of tokens, or the context was full'] : []),
    ...(leftOutMessages > 0 ? [`the ${leftOutMessages} oldest messages did not fit and were left out`] : []),
    ...(provider === 'local' ? [] : [`answered by ${provider}, outside of this house`]),
  ];
}
