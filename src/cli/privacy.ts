import type { Command } from 'commander';
import { type CommandDeps, print, withClient } from './command.ts';
import { wholeNumberOf } from './numbers.ts';
import type { PrivacyDay } from './operations-api.ts';
import { tableOf } from './tables.ts';

/** `hearth privacy`: what was answered in the house, and what left it. */
export function addPrivacyCommand(program: Command, deps: CommandDeps): void {
  program
    .command('privacy')
    .description('show what this machine answered and what was sent elsewhere, by day, key and model')
    .option('--days <number>', 'the last days, today included', wholeNumberOf(1, 3_660), 7)
    .option('--json', 'print JSON')
    .action(async ({ days, json }: { days: number; json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const found = await client.privacy(days);
        print(deps.terminal, json, found, privacyLines(found));
        return 0;
      });
    });
}

/** A line for each day, and what left by key and model below. */
export function privacyLines(days: readonly PrivacyDay[]): string[] {
  const here = days.reduce((sum, day) => sum + day.here.requests, 0);
  const left = days.reduce((sum, day) => sum + day.left.requests, 0);
  const busy = days.filter((day) => day.here.requests + day.left.requests > 0);
  if (busy.length === 0) return [`Nothing was asked in the last ${days.length} days (in UTC).`];
  const table = tableOf(
    ['DAY (UTC)', 'HERE', 'LEFT', 'TOKENS LEFT'],
    busy.map(({ date, here: atHome, left: away }) => [
      date,
      `${atHome.requests}`,
      `${away.requests}`,
      `${away.input_tokens + away.output_tokens}`,
    ]),
    [1, 2, 3],
  );
  const gone = leftBy(days);
  return [
    ...table,
    '',
    ...(gone.length === 0
      ? []
      : [
          ...tableOf(
            ['LEFT BY KEY', 'TO', 'REQUESTS'],
            gone.map(({ key, to, requests }) => [key, to, `${requests}`]),
            [2],
          ),
          '',
        ]),
    left === 0
      ? `All ${here} requests were answered here; nothing left the house.`
      : `${here} requests were answered here, ${left} were sent elsewhere.`,
  ];
}

function leftBy(days: readonly PrivacyDay[]): { key: string; to: string; requests: number }[] {
  const rows = new Map<string, { key: string; to: string; requests: number }>();
  for (const one of days.flatMap(({ by_key }) => by_key).filter(({ left_house }) => left_house)) {
    const key = one.key_name ?? one.key;
    const to = `${one.provider}:${one.model}`;
    const row = rows.get(`${key} ${to}`) ?? { key, to, requests: 0 };
    row.requests += one.requests;
    rows.set(`${key} ${to}`, row);
  }
  return [...rows.values()].sort((one, other) => other.requests - one.requests);
}
