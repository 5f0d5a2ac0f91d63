import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../core/clock.ts';
import { parseDurationMs } from '../core/parse-units.ts';
import type { KeyView, NewKey } from './client.ts';
import { type CommandDeps, countOf, print, withClient } from './command.ts';

interface CreateFlags {
  scope?: ('inference' | 'admin')[];
  expires?: Date;
  model?: string[];
  cloud: boolean;
  daily?: string;
  weekly?: string;
  monthly?: string;
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  requestsPerDay?: number;
  json?: boolean;
}

/** `hearth key`: makes keys, lists them, revokes one. */
export function addKeyCommand(program: Command, deps: CommandDeps): void {
  const keys = program.command('key').description('make, list and revoke API keys');
  addCreate(keys, deps);
  keys
    .command('list')
    .alias('ls')
    .description('list the keys, those of the configuration and those that open nothing any more too')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const list = await client.keys();
        const first = deps.sayCommand('key create NAME --scope inference admin');
        const none = [`There is no key yet. ${first} makes the first.`];
        print(deps.terminal, flags.json, list, list.length === 0 ? none : tableOf(list));
        return 0;
      });
    });
  keys
    .command('revoke <key>')
    .description('revoke a key, by its id or name')
    .option('--json', 'print JSON')
    .action(async (idOrName: string, flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const revoked = await client.revokeKey(idOrName);
        const { name, ending } = revoked;
        print(deps.terminal, flags.json, revoked, [`The key ${name} (…${ending ?? ''}) is revoked.`]);
        return 0;
      });
    });
}

function addCreate(keys: Command, deps: CommandDeps): void {
  keys
    .command('create <name>')
    .description('make a key; it is shown once')
    .addOption(
      new Option(
        '--scope <scope...>',
        'what it is for: inference (answers and lists), admin (changes of the server)',
      ).choices(['inference', 'admin']),
    )
    .option('--expires <when>', 'a date such as 2027-01-31, or a duration such as 30d', dateOf)
    .option('--model <name...>', 'models that it may ask for; left out: all')
    .option('--no-cloud', 'its requests never leave the house')
    .option('--daily <usd>', 'most that it may spend in a day')
    .option('--weekly <usd>', 'most that it may spend in a week')
    .option('--monthly <usd>', 'most that it may spend in a month')
    .option('--requests-per-minute <number>', 'most requests in a minute', countOf)
    .option('--tokens-per-minute <number>', 'most tokens in a minute', countOf)
    .option('--requests-per-day <number>', 'most requests in a day', countOf)
    .option('--json', 'print JSON')
    .action(async (name: string, flags: CreateFlags, command: Command) => {
      await withClient(deps, command, async (client) => {
        const made = await client.createKey(newKeyOf(name, flags));
        if (flags.json) print(deps.terminal, true, made, []);
        else {
          print(deps.terminal, false, null, [made.key]);
          deps.terminal.fail(`The key ${made.name} is shown this once. ${describe(made)}`);
        }
        return 0;
      });
    });
}

function newKeyOf(name: string, flags: CreateFlags): NewKey {
  const { daily, weekly, monthly } = flags;
  const budget = { ...(daily && { daily }), ...(weekly && { weekly }), ...(monthly && { monthly }) };
  const limits = {
    ...(flags.requestsPerMinute && { requests_per_minute: flags.requestsPerMinute }),
    ...(flags.tokensPerMinute && { tokens_per_minute: flags.tokensPerMinute }),
    ...(flags.requestsPerDay && { requests_per_day: flags.requestsPerDay }),
  };
  return {
    name,
    ...(flags.scope && { scopes: flags.scope }),
    ...(flags.expires && { expires_at: flags.expires.toISOString() }),
    ...(flags.model && { models: flags.model }),
    ...(!flags.cloud && { cloud: false }),
    ...(Object.keys(budget).length > 0 && { budget }),
    ...(Object.keys(limits).length > 0 && { rate_limits: limits }),
  };
}

function tableOf(list: readonly KeyView[]): string[] {
  const width = Math.max(0, ...list.map(({ name }) => name.length));
  return list.map(
    (key) => `${key.name.padEnd(width)}  ${(key.id ?? `of the ${key.from}`).padEnd(22)}  ${describe(key)}`,
  );
}

/** What it may do, and until when. */
function describe(key: KeyView): string {
  const facts = [
    key.scopes.join(', '),
    ...(key.models ? [`models ${key.models.join(', ')}`] : []),
    ...(key.cloud ? [] : ['no cloud']),
    ...Object.entries(key.budget ?? {}).flatMap(([period, usd]) => (usd === null ? [] : [`$${usd} ${period}`])),
    ...Object.entries(key.rate_limits ?? {}).flatMap(([limit, most]) =>
      most === null ? [] : [`${most} ${limit.replaceAll('_', ' ')}`],
    ),
    ...(key.revoked_at ? [`revoked ${key.revoked_at}`] : key.expires_at ? [`until ${key.expires_at}`] : []),
  ];
  return facts.join('; ');
}

function dateOf(text: string): Date {
  if (/^\d{4}-\d\d-\d\d([T ].*)?$/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text);
  try {
    return new Date(systemClock.now().getTime() + parseDurationMs(text));
  } catch {
    throw new InvalidArgumentError('It is a date such as 2027-01-31, or a duration such as 30d.');
  }
}
