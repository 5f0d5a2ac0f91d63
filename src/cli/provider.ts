import type { Command } from 'commander';
import { toSnakeCase } from '../wire/snake-case.ts';
import type { ProviderView } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';

/** `hearth provider`: lists the sources of answers, or asks them whether they would answer. */
export function addProviderCommand(program: Command, deps: CommandDeps): void {
  const provider = program.command('provider').description('list the providers, or ask them whether they would answer');
  provider
    .command('list')
    .description('list the providers, this machine first')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const providers = await client.providers();
        print(deps.terminal, flags.json, toSnakeCase(providers), providerLines(providers));
        return 0;
      });
    });
  provider
    .command('test [providers...]')
    .description('ask providers whether they would answer, all that are on where none is named; generates nothing')
    .option('--json', 'print JSON')
    .action(async (names: string[], flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const wanted = names.length > 0 ? names : await testable(() => client.providers());
        const results = await Promise.all(wanted.map((id) => client.testProvider(id)));
        const lines = results.map(
          ({ id, answered, status, latencyMs, error }) =>
            `${id}  ${answered && status !== 'healthy' ? 'answers now, ' : ''}${status}${error === null ? '' : `: ${error}`}${latencyMs === null ? '' : `  ${latencyMs} ms`}`,
        );
        print(
          deps.terminal,
          flags.json,
          toSnakeCase(results),
          lines.length === 0 ? ['There is no provider beside this machine.'] : lines,
        );
        return results.every(({ answered }) => answered) ? 0 : 1;
      });
    });
}

async function testable(list: () => Promise<ProviderView[]>): Promise<string[]> {
  return (await list()).filter(({ enabled, type }) => enabled && type !== 'local').map(({ id }) => id);
}

function providerLines(providers: readonly ProviderView[]): string[] {
  const rows = providers.map(({ id, enabled, status, modelsCount, defaultModel }) => [
    id,
    enabled ? 'on' : 'off',
    enabled ? status : '',
    `${modelsCount} ${modelsCount === 1 ? 'model' : 'models'}`,
    defaultModel ?? '',
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
