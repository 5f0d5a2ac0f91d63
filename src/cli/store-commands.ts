import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fileSize } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { availableLines } from './available-table.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { progressLine } from './progress.ts';

/** `hearth pulls`: lists pulls, or cancels one. */
export function addPullsCommand(program: Command, deps: CommandDeps): void {
  program
    .command('pulls')
    .description('list pulls, or cancel one')
    .option('--cancel <id>', 'stop this pull and keep what arrived')
    .option('--discard <id>', 'stop this pull and delete what arrived')
    .option('--json', 'print JSON')
    .action(async (flags: { cancel?: string; discard?: string; json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const id = flags.discard ?? flags.cancel;
        const pulls = id === undefined ? await client.pulls() : [await client.cancel(id, flags.discard !== undefined)];
        const lines = pulls.map((pull) => `${pull.id}  ${pull.state.padEnd(11)}  ${pull.model}  ${progressLine(pull)}`);
        print(deps.terminal, flags.json, pulls, lines);
        return 0;
      });
    });
}

/** `hearth list`: the models on disk, or those that can be pulled. */
export function addListCommand(program: Command, deps: CommandDeps): void {
  program
    .command('list')
    .alias('ls')
    .description('list the models on disk, or those that can be pulled')
    .option('--available', 'list what can be pulled by name, by the memory of the machine')
    .option('--json', 'print JSON')
    .action(async (flags: { available?: boolean; json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        if (flags.available) {
          const available = await client.available();
          print(deps.terminal, flags.json, available, availableLines(available));
          return 0;
        }
        const { models, leftOut } = await client.models();
        const width = Math.max(0, ...models.map(({ model }) => model.length));
        const lines = models.map(
          ({ model, sizeBytes, state }) => `${model.padEnd(width)}  ${fileSize(sizeBytes).padStart(8)}  ${state}`,
        );
        print(deps.terminal, flags.json, models, lines);
        for (const sentence of leftOut) deps.terminal.fail(toPrintable(sentence));
        return 0;
      });
    });
}

/** `hearth rm`: unloads models and deletes their files. */
export function addRemoveCommand(program: Command, deps: CommandDeps): void {
  program
    .command('rm <models...>')
    .description('unload models and delete their files')
    .action(async (names: string[], _flags: object, command: Command) => {
      await withClient(deps, command, async (client) => {
        for (const name of names) {
          for (const removed of await client.remove(name)) {
            deps.terminal.write(`${toPrintable(removalLine(removed))}\n`);
          }
        }
        return 0;
      });
    });
}

function removalLine({
  model,
  sizeBytes,
  freedBytes,
}: {
  model: string;
  sizeBytes: number;
  freedBytes: number;
}): string {
  if (freedBytes === sizeBytes) return `${model} is deleted, ${fileSize(freedBytes)} freed.`;
  const freed = freedBytes === 0 ? 'nothing is freed' : `${fileSize(freedBytes)} freed`;
  return `${model} is deleted, ${freed}: its bytes are still there under another name.`;
}

/** `hearth import`: takes a file of this machine into the model folder. */
export function addImportCommand(program: Command, deps: CommandDeps): void {
  program
    .command('import <file>')
    .description('take a GGUF file into the model folder, by a hard link where that is possible')
    .action(async (file: string, _flags: object, command: Command) => {
      await withClient(deps, command, async (client) => {
        const { model, sizeBytes } = await client.importFile(resolve(file));
        deps.terminal.write(`${toPrintable(model)} is ready, ${fileSize(sizeBytes)}.\n`);
        return 0;
      });
    });
}
