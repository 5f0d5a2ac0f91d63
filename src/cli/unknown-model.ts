import { AppError } from '../core/errors.ts';
import { fileSize } from '../core/format-units.ts';
import type { SayCommand } from '../core/say-command.ts';
import type { AvailableView, HearthClient } from './client.ts';
import type { ModelRecords } from './model-api.ts';
import { byNearness, nearestWord } from './nearest-word.ts';

/** Of what is here, where nothing is like the name. */
const mostNames = 3;

/** Does something with a model; where there is none of that name, the error says which it may have been. */
export async function namingModel<T>(
  client: Pick<HearthClient, 'modelRecords' | 'available'>,
  sayCommand: SayCommand,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'model_not_found') throw error;
    throw await unknownModel(client, sayCommand, name, error);
  }
}

/** The same for a name of the catalogue: what is near there. */
export async function namingPullable<T>(
  client: Pick<HearthClient, 'available'>,
  sayCommand: SayCommand,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // A repository that is not there has no neighbours that are known here.
    if (!(error instanceof AppError) || error.code !== 'model_not_found' || name.includes('/')) throw error;
    const available = await client.available().catch(() => []);
    const names = available.flatMap((model) => [model.name, ...model.aliases]);
    const near = nearestWord(baseOf(name), names) ?? names.find((other) => begins(other, baseOf(name)));
    const way = `${sayCommand(`search ${baseOf(name)}`)} looks for it at the hub.`;
    throw new AppError('model_not_found', error.message, {
      fix: near ? `Did you mean "${near}"? ${way}` : way,
      cause: error,
    });
  }
}

/** Without its quantization. */
const baseOf = (name: string) => name.replace(/:[^:/]*$/, '');

/** The error for a name that no model has: what is near, here or to be pulled. */
async function unknownModel(
  client: Pick<HearthClient, 'modelRecords' | 'available'>,
  sayCommand: SayCommand,
  name: string,
  cause: AppError,
): Promise<AppError> {
  const [here, pullable] = await Promise.all([
    client.modelRecords().then(namesIn, () => ({ models: [], all: [] })),
    client.available().catch(() => []),
  ]);
  return new AppError('model_not_found', `There is no model "${name}".`, {
    field: 'model',
    fix: wayOut(sayCommand, name, here, pullable),
    cause,
  });
}

/** Names of models, and all that lead to one. */
function namesIn({ models, cloud_models: cloud }: ModelRecords): { models: string[]; all: string[] } {
  const usable = models.filter(({ state }) => state !== 'invalid');
  return {
    models: [...usable, ...cloud].map(({ name }) => name),
    all: [
      ...usable.flatMap(({ name, aliases, made_names: made }) => [name, ...aliases, ...made]),
      ...cloud.flatMap(({ name, aliases }) => [name, ...aliases]),
    ],
  };
}

function wayOut(
  sayCommand: SayCommand,
  name: string,
  here: { models: readonly string[]; all: readonly string[] },
  pullable: readonly AvailableView[],
): string {
  const [, base = name, quantization] = /^(.+?)(?::([^:/]+))?$/.exec(name) ?? [];
  const near = nearestWord(base, here.all) ?? here.all.find((other) => begins(other, base));
  if (near !== undefined && near !== null) {
    const isSame = near.toLowerCase() === base.toLowerCase();
    return isSame && quantization !== undefined
      ? `"${near}" is here, without this quantization; ${sayCommand(`show ${near}`)} has the list.`
      : `Did you mean "${near}"?`;
  }
  const nearPull =
    nearestWord(
      base,
      pullable.map((model) => model.name),
    ) ?? pullable.find((model) => begins(model.name, base))?.name;
  const found = pullable.find((model) => model.name === nearPull);
  if (found) {
    const size = found.quantizations[0]?.sizeBytes ?? null;
    return `${sayCommand(`pull ${found.name}`)} fetches it${size === null ? '' : ` (${fileSize(size)})`}.`;
  }
  return `${listOf(here.models, base, sayCommand)} ${sayCommand(`search ${base}`)} looks for others.`;
}

const begins = (name: string, word: string) => word.length >= 3 && name.toLowerCase().startsWith(word.toLowerCase());

/** A few of what is here, the likest first, and how to see the others. */
function listOf(here: readonly string[], name: string, sayCommand: SayCommand): string {
  if (here.length === 0) return 'No model is here.';
  const shown = byNearness(name, [...new Set(here)]);
  if (shown.length <= mostNames) return `Here ${shown.length === 1 ? 'is' : 'are'} ${shown.join(', ')}.`;
  const others = shown.length - mostNames;
  return `Here are ${shown.slice(0, mostNames).join(', ')} and ${others} more; ${sayCommand('list')} shows them.`;
}
