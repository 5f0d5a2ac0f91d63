import { resolve } from 'node:path';
import type { Command } from 'commander';
import { warningsOf } from '../config/cloud.ts';
import { ConfigError } from '../config/config-error.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import type { ShownSetting } from '../config/show.ts';
import { type CommandDeps, print } from './command.ts';

/** `hearth config`: checks the configuration, or shows it. Asks no server. */
export function addConfigCommand(program: Command, deps: CommandDeps): void {
  const config = program.command('config').description('check the configuration, or show it');
  config
    .command('check [file]')
    .description('say what is wrong with the configuration, or with a file in its place')
    .option('--json', 'print JSON')
    .action(async (file: string | undefined, { json }: { json?: boolean }, command: Command) => {
      const path = file === undefined ? undefined : resolve(file);
      try {
        const warnings = warningsOf(deps.configOf(command, path).cloud);
        const lines = [...warnings.map((warning) => `warning: ${warning}`), 'The configuration can be used.'];
        print(deps.terminal, json, { valid: true, problems: [], warnings }, lines);
        deps.setExitCode(0);
      } catch (error) {
        // For people it is said as it is at the start of the server.
        if (!json || !(error instanceof ConfigError)) throw error;
        print(deps.terminal, true, { valid: false, problems: error.problems, warnings: [] }, []);
        deps.setExitCode(1);
      }
    });
  config
    .command('show')
    .description('show every setting with the place that it comes from, without secrets')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }, command: Command) => {
      const settings = deps.shownConfigOf(command);
      print(deps.terminal, flags.json, settings, settings.map(settingLine));
      deps.setExitCode(0);
    });
  config
    .command('schema')
    .description('print the JSON schema of the configuration file, for editors')
    .action(async () => {
      print(deps.terminal, true, configJsonSchema(), []);
      deps.setExitCode(0);
    });
}

function settingLine({ name, value, origin }: ShownSetting): string {
  const shown = typeof value === 'string' ? value : value === null ? '-' : JSON.stringify(value);
  return `${name} = ${shown}  (${origin})`;
}
