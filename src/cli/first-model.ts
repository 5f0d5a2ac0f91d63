import { fileSize } from '../core/format-units.ts';
import { toPrintable } from '../core/printable.ts';
import { pressedKey } from './chat/chat.ts';
import type { HearthClient } from './client.ts';
import type { CommandDeps } from './command.ts';
import type { SuggestedView } from './model-api.ts';
import { pullModel } from './pull.ts';

/** The model that comes with Hearth: there to try things. */
const builtinName = 'hearth-guide-3m';

type Asked = Pick<HearthClient, 'address' | 'modelRecords' | 'suggestions' | 'outlivesUs' | 'pull' | 'follow'>;

/**
 * For who names no model where nothing but the built-in one is there: offers those that suit the machine of the server, one key
 * each, and pulls the chosen one. Without a person at the keyboard it says on the error stream how to get one. Resolves with the
 * name to go on with; null: the pull did not come to its end.
 */
export async function chooseFirstModel(deps: CommandDeps, client: Asked, canAsk: boolean): Promise<string | null> {
  const { terminal, keyboard, sayCommand } = deps;
  if (!(await hasBuiltinAlone(client))) return 'default';
  if (!canAsk || keyboard === null) {
    const way = `${sayCommand('list --available')} shows what can be pulled.`;
    terminal.fail(`This answer is of the built-in model, which is there to try things. ${way}`);
    return 'default';
  }
  const suggested = await client.suggestions().catch(() => []);
  if (suggested.length === 0) return 'default';
  terminal.note(offerLines(suggested).join('\n'));
  const choices = suggested.map((_model, index) => `${index + 1}`);
  const key = await pressedKey(keyboard, [...choices, '\r', '\n']);
  terminal.note('\n');
  if (key === null) return null;
  const chosen = suggested[choices.indexOf(key)];
  if (chosen === undefined) return 'default';
  const about = { terminal, sayCommand, interrupted: deps.interrupted() };
  return (await pullModel(client, { name: chosen.name }, about)) === 0 ? chosen.name : null;
}

/** Whether there is no other model, here or at a provider. */
async function hasBuiltinAlone(client: Asked): Promise<boolean> {
  if (client.address === null) return false;
  const { models, cloud_models } = await client.modelRecords();
  const usable = models.filter(({ state }) => state !== 'invalid');
  return usable.length > 0 && usable.every(({ name }) => name === builtinName) && cloud_models.length === 0;
}

function offerLines(suggested: readonly SuggestedView[]): string[] {
  const width = Math.max(...suggested.map(({ name }) => name.length));
  return [
    'Nothing but the built-in model is here, which is there to try things. These suit this machine:',
    ...suggested.map(({ name, size_bytes, tokens_per_second }, index) => {
      const speed = `about ${Math.max(1, Math.round(tokens_per_second))} tokens/s`;
      return toPrintable(`  ${index + 1}  ${name.padEnd(width)}  ${fileSize(size_bytes).padStart(7)}  ${speed}`);
    }),
    `Press 1 to ${suggested.length} to pull one, Enter to go on with the built-in one: `,
  ];
}
