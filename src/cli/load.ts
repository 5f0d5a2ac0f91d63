import type { Command } from 'commander';
import { AppError } from '../core/errors.ts';
import { memorySize } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { type CommandDeps, countOf, print, withClient } from './command.ts';
import { loadingLine } from './loading-line.ts';
import type { LoadedModel, LoadWish } from './model-api.ts';
import { placeOf } from './show.ts';
import { namingModel } from './unknown-model.ts';

interface LoadFlags {
  quantization?: string;
  contextLength?: number;
  parallel?: number;
  keepAlive?: string;
  pin?: boolean;
  gpu?: boolean;
  force?: boolean;
  json?: boolean;
}

/** `hearth load`: loads a model and waits until it is ready. */
export function addLoadCommand(program: Command, deps: CommandDeps): void {
  program
    .command('load <model>')
    .description('load a model and wait until it is ready')
    .option('--quantization <label>', 'a variant such as q4_k_m, or auto for the best that fits')
    .option('--context-length <tokens>', 'tokens that one request may fill', countOf)
    .option('--parallel <number>', 'requests that are decoded at the same time', countOf)
    .option('--keep-alive <duration>', 'how long it stays when idle, such as 30m; -1: for ever')
    .option('--pin', 'neither idle time nor another load ends it')
    .option('--gpu', 'on the GPU where one works')
    .option('--no-gpu', 'on the CPU')
    .option('--force', 'also when it does not fit by the plan')
    .option('--json', 'print JSON')
    .action(async (name: string, flags: LoadFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        const leaving = new AbortController();
        void deps.interrupted().then(() => leaving.abort());
        const line = loadingLine(deps, client, name);
        try {
          const loaded = await namingModel(client, deps.sayCommand, name, () =>
            client.load(name, wishOf(flags), leaving.signal),
          );
          line.stop();
          print(deps.terminal, flags.json, loaded, loadedLines(loaded));
          return 0;
        } catch (error) {
          line.stop();
          if (leaving.signal.aborted) {
            deps.terminal.fail(
              `The server goes on with it; ${deps.sayCommand('ps')} shows it, ${deps.sayCommand(`stop ${toPrintable(name)}`)} ends it.`,
            );
            return 130;
          }
          throw refused(error, flags.force ? null : deps.sayCommand(`load ${name} --force`));
        }
      });
    });
}

/** `hearth unload`: unloads models and waits until their memory is free. */
export function addUnloadCommand(program: Command, deps: CommandDeps): void {
  program
    .command('unload <models...>')
    .alias('stop')
    .description('unload models; requests that run end first')
    .option('--json', 'print JSON')
    .action(async (names: string[], flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const leaving = new AbortController();
        void deps.interrupted().then(() => leaving.abort());
        const models = [];
        for (const name of names) {
          const before = await namingModel(client, deps.sayCommand, name, () => client.modelRecord(name));
          const { name: own } = await client.unload(name, leaving.signal);
          const wasLoaded = before.state !== 'unloaded' && before.state !== 'invalid';
          models.push({ model: own, was_loaded: wasLoaded, freed_bytes: before.memory_bytes });
          if (flags.json) continue;
          const freed = before.memory_bytes === null ? '' : `, ${memorySize(before.memory_bytes)} freed`;
          print(deps.terminal, false, null, [wasLoaded ? `${own} is unloaded${freed}.` : `${own} was not loaded.`]);
        }
        if (flags.json) print(deps.terminal, true, models, []);
        return 0;
      });
    });
}

function wishOf({ quantization, contextLength, parallel, keepAlive, pin, gpu, force }: LoadFlags): LoadWish {
  return {
    ...(quantization !== undefined && { quantization }),
    ...(contextLength !== undefined && { context_length: contextLength }),
    ...(parallel !== undefined && { parallel }),
    ...(keepAlive !== undefined && { keep_alive: keepAlive }),
    ...(pin !== undefined && { pin }),
    ...(gpu !== undefined && { prefer_gpu: gpu }),
    ...(force && { force }),
  };
}

function loadedLines({ model, plan, load_ms }: LoadedModel): string[] {
  const estimated = plan === null ? null : plan.expected_bytes.total;
  const memory = [
    ...(estimated === null ? [] : [`estimated ${memorySize(estimated)}`]),
    ...(model.memory_bytes === null ? [] : [`used ${memorySize(model.memory_bytes)}`]),
  ];
  return [
    `${model.name}:${model.quantization} is ready after ${(load_ms / 1_000).toFixed(1)} s.`,
    ...(memory.length === 0 ? [] : [`memory: ${memory.join(', ')}`]),
    `context ${model.context_length_loaded} tokens, ${model.slots} at the same time, ${placeOf(model)}`,
    ...model.notes.map((note) => `note: ${note}`),
  ];
}

/** A load that does not fit may be forced. `forcing`: the command that does so; null: it was forced already. */
function refused(error: unknown, forcing: string | null): unknown {
  if (!(error instanceof AppError) || error.code !== 'insufficient_memory' || forcing === null) return error;
  const way = `${forcing} loads it anyway: the machine may swap, or end it.`;
  return new AppError(error.code, error.message, { fix: [error.fix, way].filter(Boolean).join(' '), cause: error });
}
