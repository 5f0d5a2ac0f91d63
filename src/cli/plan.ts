import type { Command } from 'commander';
import { type CommandDeps, print, withClient } from './command.ts';
import type { PlanWish } from './plan-answer.ts';
import { planTable } from './plan-table.ts';
import { namingModel } from './unknown-model.ts';

/** `hearth plan`: how a model would be loaded. Exit code 0: it fits, 1: it does not, or there is no answer. */
export function addPlanCommand(program: Command, deps: CommandDeps): void {
  program
    .command('plan <model>')
    .description('show how a model would be loaded and what memory it would take')
    .option('--quantization <label>', 'a variant such as q4_k_m, or auto for the best that fits and is fast here')
    .option('--context-length <tokens>', 'tokens that one request may fill')
    .option('--parallel <number>', 'requests that are decoded at the same time')
    .option('--json', 'print JSON')
    .action(async (name: string, flags: PlanWish & { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const answer = await namingModel(client, deps.sayCommand, name, () => client.plan(name, flags));
        print(deps.terminal, flags.json, answer, planTable(answer, deps.sayCommand).replace(/\n$/, '').split('\n'));
        return answer.fits ? 0 : 1;
      });
    });
}
