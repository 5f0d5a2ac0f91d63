import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../core/clock.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { wholeNumberOf } from './numbers.ts';
import type { PrivacyDay } from './operations-api.ts';
import { tableOf } from './tables.ts';

type Grouping = 'day' | 'key' | 'model' | 'provider';
const groupings = ['day', 'key', 'model', 'provider'] as const;

interface CostFlags {
  month?: string;
  days?: number;
  by: Grouping;
  json?: boolean;
}

/** What was spent for one day, key, model or provider. */
export interface CostRow {
  name: string;
  requests: number;
  input_tokens: number;
  output_tokens: number;
  /** US dollars. */
  cost: number;
  /** Requests whose cost is not known, and is in no sum. */
  unknown_cost_count: number;
}

const dayMs = 86_400_000;
const mostDays = 3_660;

/** `hearth cost`: what providers were paid for. What this machine answered costs nothing, and is not in it. */
export function addCostCommand(program: Command, deps: CommandDeps): void {
  program
    .command('cost')
    .description('show what was spent at other providers')
    .addOption(
      new Option('--month <month>', 'a month such as 2026-11; left out: the one that runs')
        .argParser(monthOf)
        .conflicts('days'),
    )
    .option('--days <number>', 'the last days, today included', wholeNumberOf(1, mostDays))
    .addOption(new Option('--by <what>', 'a line for each of these').choices([...groupings]).default('provider'))
    .option('--json', 'print JSON')
    .action(async (flags: CostFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        const now = systemClock.now();
        const wanted = rangeOf(flags, now);
        const [days, alerts] = await Promise.all([client.privacy(wanted.days), client.costAlerts()]);
        const inRange = days.filter(({ date }) => wanted.month === null || date.startsWith(wanted.month));
        const rows = costRows(inRange, flags.by);
        const total = rows.reduce((sum, { cost }) => sum + cost, 0);
        const answer = {
          range: { from: inRange.at(-1)?.date ?? null, to: inRange[0]?.date ?? null },
          by: flags.by,
          total,
          unknown_cost_count: rows.reduce((sum, row) => sum + row.unknown_cost_count, 0),
          rows,
          alerts,
        };
        print(deps.terminal, flags.json, answer, costLines(answer));
        return 0;
      });
    });
}

/** How many days until today are to be asked for; `month`: those of it alone. */
export function rangeOf(
  { month, days }: Pick<CostFlags, 'month' | 'days'>,
  now: Date,
): { days: number; month: string | null } {
  if (days !== undefined) return { days, month: null };
  const wanted = month ?? now.toISOString().slice(0, 7);
  const first = Date.parse(`${wanted}-01T00:00:00Z`);
  const today = Date.parse(`${now.toISOString().slice(0, 10)}T00:00:00Z`);
  return { days: Math.min(mostDays, Math.max(1, (today - first) / dayMs + 1)), month: wanted };
}

/** Sums of what left the house, the dearest first; days the latest first. */
export function costRows(days: readonly PrivacyDay[], by: Grouping): CostRow[] {
  const rows = new Map<string, CostRow>();
  for (const { date, by_key } of days) {
    for (const one of by_key) {
      if (!one.left_house) continue;
      const name = {
        day: date,
        key: one.key_name ?? one.key,
        model: `${one.provider}:${one.model}`,
        provider: one.provider,
      }[by];
      const row = rows.get(name) ?? {
        name,
        requests: 0,
        input_tokens: 0,
        output_tokens: 0,
        cost: 0,
        unknown_cost_count: 0,
      };
      row.requests += one.requests;
      row.input_tokens += one.input_tokens;
      row.output_tokens += one.output_tokens;
      row.cost += one.cost;
      row.unknown_cost_count += one.unknown_cost_count;
      rows.set(name, row);
    }
  }
  const all = [...rows.values()];
  if (by === 'day') return all.sort((left, right) => (left.name < right.name ? 1 : -1));
  return all.sort((left, right) => right.cost - left.cost || right.requests - left.requests);
}

function costLines({
  by,
  rows,
  total,
  range,
  alerts,
  unknown_cost_count: unknown,
}: {
  by: Grouping;
  rows: readonly CostRow[];
  total: number;
  range: { from: string | null; to: string | null };
  alerts: readonly { message: string }[];
  unknown_cost_count: number;
}): string[] {
  const when =
    range.from === null ? '' : range.from === range.to ? ` on ${range.from}` : ` from ${range.from} to ${range.to}`;
  if (rows.length === 0) return [`Nothing was sent to other providers${when} (days in UTC).`, ...alertLines(alerts)];
  const table = tableOf(
    [by.toUpperCase(), 'REQUESTS', 'TOKENS IN', 'TOKENS OUT', 'USD'],
    rows.map((row) => [row.name, `${row.requests}`, `${row.input_tokens}`, `${row.output_tokens}`, usd(row.cost)]),
    [1, 2, 3, 4],
  );
  return [
    ...table,
    '',
    `${usd(total)} USD${when} (days in UTC).`,
    ...(unknown === 0 ? [] : [`The cost of ${unknown} more requests is not known.`]),
    ...alertLines(alerts),
  ];
}

const alertLines = (alerts: readonly { message: string }[]) => alerts.map(({ message }) => `Budget: ${message}`);

/** Cents, and more digits where it is less than one. */
export function usd(amount: number): string {
  return amount === 0 || amount >= 0.01 ? amount.toFixed(2) : amount.toPrecision(2);
}

function monthOf(text: string): string {
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) return text;
  throw new InvalidArgumentError('It is a month such as 2026-11.');
}
