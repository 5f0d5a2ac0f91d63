import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../config/schema.ts';
import { AppError } from '../core/errors.ts';
import type { PullWish } from '../core/pull.ts';
import { availableLines } from './available-table.ts';
import { localStore } from './local-store.ts';
import { progressLine, shownBytes } from './progress.ts';
import { pullModel, type Terminal } from './pull.ts';
import { remoteStore } from './remote-store.ts';
import type { StoreClient } from './store-client.ts';

/** `configOf`: the configuration that a command's flags and their surroundings give. */
export interface StoreCommandDeps {
  configOf: (command: Command) => Config;
  terminal: Terminal;
  /** Resolves when the person presses Ctrl-C; asking takes the signal over. */
  interrupted: () => Promise<void>;
  setExitCode: (code: number) => void;
}

/** Adds `pull`, `pulls`, `list`, `rm` and `import`. Each asks the running server, or works by itself where there is none. */
export function addStoreCommands(program: Command, deps: StoreCommandDeps): void {
  const { terminal } = deps;

  async function withStore(command: Command, use: (store: StoreClient) => Promise<number>): Promise<void> {
    const config = deps.configOf(command);
    let store: StoreClient | null = null;
    try {
      store = (await remoteStore(config)) ?? (await localStore(config));
      deps.setExitCode(await use(store));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      terminal.fail(error.fix === null ? error.message : `${error.message} ${error.fix}`);
      deps.setExitCode(1);
    } finally {
      await store?.close();
    }
  }
  const print = (json: boolean | undefined, value: unknown, lines: readonly string[]) =>
    terminal.write(json ? `${JSON.stringify(value, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''));

  program
    .command('pull <model>')
    .description('pull a model: a name of the catalogue, hf.co/org/repo:q4_k_m or org/repo/file.gguf')
    .option('--quantization <label>', 'a variant such as q4_k_m')
    .option('--revision <revision>', 'branch, tag or commit of the repository')
    .option('--force', 'also what can never fit into the memory')
    .action(async (name: string, flags: Omit<PullWish, 'name'>, command: Command) => {
      await withStore(command, (store) => pullModel(store, { name, ...wishOf(flags) }, terminal, deps.interrupted()));
    });

  program
    .command('pulls')
    .description('list pulls, or cancel one')
    .option('--cancel <id>', 'stop this pull and keep what arrived')
    .option('--discard <id>', 'stop this pull and delete what arrived')
    .option('--json', 'print JSON')
    .action(async (flags: { cancel?: string; discard?: string; json?: boolean }, command: Command) => {
      await withStore(command, async (store) => {
        const id = flags.discard ?? flags.cancel;
        const pulls = id === undefined ? await store.pulls() : [await store.cancel(id, flags.discard !== undefined)];
        print(
          flags.json,
          pulls,
          pulls.map((pull) => `${pull.id}  ${pull.state.padEnd(11)}  ${pull.model}  ${progressLine(pull)}`),
        );
        return 0;
      });
    });

  program
    .command('list')
    .alias('ls')
    .description('list the models on disk, or those that can be pulled')
    .option('--available', 'list what can be pulled by name, by the memory of the machine')
    .option('--json', 'print JSON')
    .action(async (flags: { available?: boolean; json?: boolean }, command: Command) => {
      await withStore(command, async (store) => {
        if (flags.available) {
          const available = await store.available();
          print(flags.json, available, availableLines(available));
          return 0;
        }
        const models = await store.models();
        const width = Math.max(0, ...models.map(({ model }) => model.length));
        print(
          flags.json,
          models,
          models.map(
            ({ model, sizeBytes, state }) => `${model.padEnd(width)}  ${shownBytes(sizeBytes).padStart(8)}  ${state}`,
          ),
        );
        return 0;
      });
    });

  program
    .command('rm <models...>')
    .description('unload models and delete their files')
    .action(async (names: string[], _flags: object, command: Command) => {
      await withStore(command, async (store) => {
        for (const name of names) {
          for (const { model, sizeBytes } of await store.remove(name)) {
            terminal.write(`${model} is deleted, ${shownBytes(sizeBytes)} freed.\n`);
          }
        }
        return 0;
      });
    });

  program
    .command('import <file>')
    .description('take a GGUF file into the model folder, by a hard link where that is possible')
    .action(async (file: string, _flags: object, command: Command) => {
      await withStore(command, async (store) => {
        const { model, sizeBytes } = await store.importFile(resolve(file));
        terminal.write(`${model} is ready, ${shownBytes(sizeBytes)}.\n`);
        return 0;
      });
    });
}

function wishOf({ quantization, revision, force }: Omit<PullWish, 'name'>): Omit<PullWish, 'name'> {
  return {
    ...(quantization !== undefined && { quantization }),
    ...(revision !== undefined && { revision }),
    ...(force !== undefined && { force }),
  };
}
