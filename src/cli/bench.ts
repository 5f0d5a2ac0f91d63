import { randomInt } from 'node:crypto';
import type { Command } from 'commander';
import type { SayCommand } from '../core/say-command.ts';
import { adviceWords } from './advice-words.ts';
import type { BenchModel } from './bench-api.ts';
import { type BenchResult, runBench } from './bench-run.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { wholeNumberOf } from './numbers.ts';
import { tableOf } from './tables.ts';
import { namingModel } from './unknown-model.ts';

interface BenchFlags {
  rounds: number;
  tokens: number;
  streams?: number;
  json?: boolean;
}

const usualStreams = 4;
/** Of other kernels; less is not worth a word. */
const leastGain = 1.05;

/** `hearth bench`: how fast a model is on the machine of the server, over HTTP. */
export function addBenchCommand(program: Command, deps: CommandDeps): void {
  program
    .command('bench [model]')
    .description('measure how fast a model reads and writes on this machine')
    .option('--rounds <number>', 'how often each is measured; the median counts', wholeNumberOf(1, 100), 3)
    .option('--tokens <number>', 'length of an answer', wholeNumberOf(8, 4_096), 64)
    .option(
      '--streams <number>',
      'answers at a time; left out: as many as the model has slots, at most 4',
      wholeNumberOf(1, 64),
    )
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, flags: BenchFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        const { terminal } = deps;
        const busy = await client.runningRequests();
        if (busy > 0) {
          const who = busy === 1 ? 'A request runs or waits' : `${busy} requests run or wait`;
          terminal.fail(`${who}: what is measured beside that is too slow.`);
        }
        const wanted = name ?? 'default';
        const model = await namingModel(client, deps.sayCommand, wanted, () => client.readyModel(wanted));
        const streams = flags.streams ?? Math.min(model.slots ?? 1, usualStreams);
        const result = await runBench(
          {
            answer: client.timeAnswer,
            random: randomInt,
            onStep: (what) => terminal.isInteractive && !flags.json && terminal.write(`\r${what} …\u001b[K`),
          },
          model,
          { rounds: flags.rounds, tokens: flags.tokens, streams },
        );
        if (terminal.isInteractive && !flags.json) terminal.write('\r\u001b[K');
        const answer = { ...aboutModel(model), rounds: flags.rounds, answer_tokens: flags.tokens, ...result };
        print(terminal, flags.json, answer, benchLines(model, result, deps.sayCommand));
        return 0;
      });
    });
}

function aboutModel(model: BenchModel) {
  const { kernels, threads, gpu, gpu_device, load_ms, slots, context_length_loaded, advice } = model;
  return {
    model: `${model.name}:${model.quantization}`,
    kernels,
    threads,
    gpu,
    gpu_device,
    slots,
    context_length: context_length_loaded,
    load_ms,
    advice,
  };
}

export function benchLines(
  model: BenchModel,
  { prompts, decode, notes }: BenchResult,
  sayCommand: SayCommand,
): string[] {
  const { kernels, threads, gpu_device, load_ms } = model;
  const code =
    kernels === null ? '' : `, kernels ${kernels.name} (${kernels.built_here ? 'built here' : "the library's own"})`;
  const place =
    gpu_device === null ? `${threads === 1 ? '1 thread' : `${threads ?? '?'} threads`}${code}` : `${gpu_device}${code}`;
  const rows = [
    ...prompts.map((one) => [
      `prompt of ${one.prompt_tokens} tokens`,
      one.tokens_per_second.toFixed(1),
      '',
      `${Math.round(one.first_token_ms)} ms`,
    ]),
    ...decode.map((one) => [
      one.streams === 1 ? 'one answer' : `${one.streams} answers at a time`,
      one.tokens_per_second.toFixed(1),
      one.streams === 1 ? '' : one.tokens_per_second_each.toFixed(1),
      `${Math.round(one.first_token_ms)} ms`,
    ]),
  ];
  return [
    `${model.name}:${model.quantization} on ${place}${load_ms === null ? '' : `, loaded in ${(load_ms / 1_000).toFixed(1)} s`}`,
    '',
    ...tableOf(['', 'TOKENS/S', 'EACH', 'FIRST TOKEN'], rows, [1, 2, 3]),
    ...below([
      ...gainLines(model),
      ...(model.advice ? [`${adviceWords(model.advice.message, sayCommand)}.`] : []),
      ...notes,
    ]),
  ];
}

const below = (lines: string[]) => (lines.length === 0 ? [] : ['', ...lines]);

/** What kernels with our patches bring this model, or would. */
function gainLines({ kernels, gpu_device }: BenchModel): string[] {
  const gain = kernels?.gain_of_built;
  if (!kernels || !gain || gpu_device !== null) return [];
  const where = gain.measured_here ? 'on this machine' : 'on another machine with such kernels';
  const times = `prompts ${gain.prompt.toFixed(1)} and answers ${gain.decode.toFixed(1)} times as fast`;
  if (kernels.built_here) return [`The kernels built here make its ${times}, measured ${where}.`];
  if (Math.max(gain.prompt, gain.decode) < leastGain) return [];
  return [`"npm run build:kernels" would make its ${times}, measured ${where}.`];
}
