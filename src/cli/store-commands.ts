import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fileSize } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { toSnakeCase } from '../wire/snake-case.ts';
import { availableLines } from './available-table.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { progressLine } from './progress.ts';
import { tableOf } from './tables.ts';
import { namingModel } from './unknown-model.ts';

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
        print(deps.terminal, flags.json, toSnakeCase(pulls), lines.length === 0 ? ['There are no pulls.'] : lines);
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
          print(deps.terminal, flags.json, toSnakeCase(available), availableLines(available, deps.sayCommand));
          return 0;
        }
        const { models, leftOut } = await client.models();
        const rows = models.map(({ model, sizeBytes, state, names }) => [
          model,
          fileSize(sizeBytes),
          state,
          names.join(', '),
        ]);
        const { sayCommand } = deps;
        const none = [
          `No model is on the disk. ${sayCommand('search WORDS')} looks for some, ${sayCommand('pull NAME')} brings one.`,
        ];
        const lines = rows.length === 0 ? none : tableOf(['MODEL', 'SIZE', 'STATE', 'ALSO'], rows);
        print(deps.terminal, flags.json, toSnakeCase(models), lines);
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
    .option('--json', 'print JSON')
    .action(async (names: string[], flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const all = [];
        for (const name of names) {
          const removed = await namingModel(client, deps.sayCommand, name, () => client.remove(name));
          all.push(...removed);
          if (!flags.json) print(deps.terminal, false, null, removed.map(removalLine));
        }
        if (flags.json) print(deps.terminal, true, toSnakeCase(all), []);
        return 0;
      });
    });
}

/** `hearth cp`: one more name for a model. */
export function addCopyCommand(program: Command, deps: CommandDeps): void {
  program
    .command('cp <model> <name>')
    .description('make one more name for a model; nothing is copied on the disk')
    .option('--json', 'print JSON')
    .action(async (source: string, name: string, flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        await namingModel(client, deps.sayCommand, source, () => client.copy(source, name));
        print(deps.terminal, flags.json, { model: name, from: source }, [`${name} is another name of ${source}.`]);
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
  if (sizeBytes === 0) return `${model} is deleted; the model that it was a name of stays.`;
  if (freedBytes === sizeBytes) return `${model} is deleted, ${fileSize(freedBytes)} freed.`;
  const freed = freedBytes === 0 ? 'nothing is freed' : `${fileSize(freedBytes)} freed`;
  return `${model} is deleted, ${freed}: its bytes are still there under another name.`;
}

/** `hearth import`: takes a file of this machine into the model folder. */
export function addImportCommand(program: Command, deps: CommandDeps): void {
  program
    .command('import <file>')
    .description('take a GGUF file into the model folder, by a hard link where that is possible')
    .option('--json', 'print JSON')
    .action(async (file: string, flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const imported = await client.importFile(resolve(file));
        const { model, sizeBytes } = imported;
        print(deps.terminal, flags.json, toSnakeCase(imported), [`${model} is ready, ${fileSize(sizeBytes)}.`]);
        return 0;
      });
    });
}
