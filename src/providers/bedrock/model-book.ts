import type { CloudModelConfig, ProviderConfig } from '../../config/providers.ts';
import { AppError } from '../../core/errors.ts';
import type { Capabilities, ModelInfo } from '../../core/model.ts';
import { longContextTokens } from '../messages/limits.ts';
import { type CapabilityRow, capabilityRow, capabilityTable } from './capability-table.ts';
import { geographyOf, knownNames, type ModelId, parseModelId, type Scope } from './model-ids.ts';

/** A model as a request means it. */
export interface ChosenModel {
  /** Our own name of it: the id that the configuration or the client gave. */
  id: string;
  /** The foundation model behind it; null: nobody knows. */
  base: string | null;
  row: CapabilityRow;
  maxOutputTokens: number | null;
  scope: Scope;
  /** Of an ARN; null: the client's. */
  region: string | null;
}

/** The models of one account: those of the configuration, or where it names none, all that the table knows. */
export interface ModelBook {
  /** Throws `model_not_found`. */
  choose(name: string): ChosenModel;
  nameOf(name: string): string | null;
  capabilities(name: string): Capabilities | null;
  list(): ModelInfo[];
}

export function createModelBook(config: ProviderConfig): ModelBook {
  const isOpen = config.models.length === 0;
  const baseOf = ({ id, aliases }: CloudModelConfig) =>
    // An ARN may hide its model; then an alias that is an id of Bedrock tells it.
    [id, ...aliases].map((name) => parseModelId(name)?.base ?? null).find((base) => base !== null) ?? null;

  const find = (name: string): CloudModelConfig | undefined =>
    config.models.find(({ id }) => id === name) ??
    config.models.find(({ aliases }) => aliases.includes(name)) ??
    config.models.find((model) => name in knownNames && baseOf(model) === knownNames[name]);

  const chosen = (name: string): ChosenModel | null => {
    const model = find(name);
    const id = model?.id ?? (isOpen ? (knownNames[name] ?? name) : null);
    if (id === null) return null;
    const parsed: ModelId | null = parseModelId(id);
    // What the configuration calls a model is one; a client's name must at least look like an id.
    if (!model && parsed === null) return null;
    const base = model ? baseOf(model) : parsed!.base;
    const row = withConfigured(capabilityRow(base), config.capabilities, model);
    const { scope = 'region', region = null } = parsed ?? {};
    return { id, base, row, maxOutputTokens: model?.maxOutputTokens ?? row.maxOutputTokens, scope, region };
  };

  const infoOf = (id: string): ModelInfo => {
    const model = find(id);
    const { row, base, maxOutputTokens } = chosen(id)!;
    const known = Object.keys(knownNames).filter((name) => knownNames[name] === base && chosen(name)?.id === id);
    return {
      id,
      aliases: [...new Set([...(model?.aliases ?? []), ...known])],
      provider: config.id,
      displayName: model?.displayName ?? (row.displayName === '' ? id : row.displayName),
      createdAt: null,
      contextTokens: model?.contextTokens ?? row.contextTokens,
      maxOutputTokens,
      state: 'ready',
      reason: null,
      thinks: row.thinking !== 'none',
      capabilities: capabilitiesOf(row, maxOutputTokens),
    };
  };

  return {
    choose(name) {
      const model = chosen(name);
      if (model) return model;
      throw new AppError('model_not_found', `${config.id} has no model called "${name}".`, { field: 'model' });
    },
    nameOf: (name) => chosen(name)?.id ?? null,
    capabilities(name) {
      const model = chosen(name);
      return model && capabilitiesOf(model.row, model.maxOutputTokens);
    },
    list: () =>
      isOpen
        ? capabilityTable.flatMap(({ base, suffix }) => (suffix === null ? [] : [infoOf(base + suffix)]))
        : config.models.map(({ id }) => infoOf(id)),
  };
}

/**
 * The id that is sent. A model that answers only through a profile, named without one, gets the one of the region's own
 * geography; where there is none AWS may say so, since a wider one takes prompts elsewhere.
 */
export function modelIdFor({ id, base, row, scope }: ChosenModel, region: string): { modelId: string; place: string } {
  const geography = row.profileOnly && scope === 'region' && id === base ? geographyOf(region) : null;
  if (geography !== null) return { modelId: `${geography}.${id}`, place: geography };
  return { modelId: id, place: scope === 'region' ? region : scope };
}

function capabilitiesOf(row: CapabilityRow, maxOutputTokens: number | null): Capabilities {
  return {
    operations: ['generate'],
    reads: ['text', 'tool-call', 'tool-result', ...(row.nativeMessages ? (['reasoning'] as const) : []), ...row.reads],
    tools: row.toolChoices.length > 0,
    formats: row.structuredOutput ? ['text', 'json-schema'] : ['text'],
    logprobs: false,
    choices: 1,
    ...(maxOutputTokens !== null && { maxOutputTokens }),
    ...(row.contextTokens !== null && {
      mostPromptTokens: row.nativeMessages ? Math.max(row.contextTokens, longContextTokens) : row.contextTokens,
    }),
  };
}

/** What the configuration says of a model, or else of all, wins over the table. */
function withConfigured(
  row: CapabilityRow,
  said: ProviderConfig['capabilities'],
  model: CloudModelConfig | undefined,
): CapabilityRow {
  const is = (...names: string[]) => names.map((name) => said[name]).find((value) => value !== undefined);
  const vision = model?.supportsVision ?? is('supports_vision', 'vision');
  const tools = model?.supportsTools ?? is('supports_function_calling');
  const structured = is('structured_output');
  const prefill = is('prefill');
  return {
    ...row,
    ...(vision === false && { reads: row.reads.filter((kind) => kind !== 'image') }),
    ...(vision === true && !row.reads.includes('image') && { reads: [...row.reads, 'image' as const] }),
    ...(tools === false && { toolChoices: [] }),
    ...(structured !== undefined && { structuredOutput: structured }),
    ...(prefill !== undefined && { prefill }),
    ...(is('prompt_caching') === false && { cache: null }),
  };
}
