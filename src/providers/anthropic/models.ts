import type { CloudModelConfig, ProviderConfig } from '../../config/providers.ts';
import type { Capabilities, ModelInfo } from '../../core/model.ts';
import { type JsonObject, numberAt, objectAt, textAt } from '../messages/json.ts';
import { longContextTokens } from '../messages/limits.ts';
import { asTheFileSays, type Effort, knownRow, type ModelRow, rowOf, type ThinkingMode } from './model-table.ts';

/** A model that can be asked for. */
export interface FoundModel {
  /** By which the API knows it. */
  id: string;
  row: ModelRow;
}

/** The models of a provider: those of its section of the file and no others, or all where it names none. */
export interface ModelCatalog {
  /** By any of its names; null: there is none, as far as is known. */
  find(name: string): FoundModel | null;
  /** What is known without asking. */
  known(): ModelInfo[];
  /** Takes what the API lists; models that nobody has told us of are known from then on, with what they take. */
  learn(listed: readonly JsonObject[]): void;
  /** Whether the API has to be asked for a list. */
  readonly isOpen: boolean;
}

export function createModelCatalog(config: ProviderConfig): ModelCatalog {
  const isOpen = config.models.length === 0;
  const listed = new Map<string, JsonObject>();
  const byName = new Map<string, CloudModelConfig>();
  for (const model of config.models) for (const name of [model.id, ...model.aliases]) byName.set(name, model);

  const rowFor = (id: string, model: CloudModelConfig | undefined): ModelRow => {
    const row = asTheFileSays(listedRow(rowOf(id), listed.get(id)), config);
    return {
      ...row,
      images: model?.supportsVision ?? row.images,
      tools: model?.supportsTools ?? row.tools,
      displayName: model?.displayName ?? row.displayName,
      contextTokens: model?.contextTokens ?? row.contextTokens,
      maxOutputTokens: model?.maxOutputTokens ?? row.maxOutputTokens,
    };
  };
  const describe = (id: string, model: CloudModelConfig | undefined): ModelInfo => {
    const row = rowFor(id, model);
    const createdAt = new Date(textAt(listed.get(id) ?? {}, 'created_at') ?? Number.NaN);
    return {
      id,
      aliases: model?.aliases ?? [],
      provider: config.id,
      displayName: row.displayName,
      createdAt: Number.isNaN(createdAt.getTime()) ? null : createdAt,
      contextTokens: row.contextTokens,
      maxOutputTokens: row.maxOutputTokens,
      state: 'ready',
      reason: null,
      thinks: row.thinking.includes('adaptive') || row.thinking.includes('enabled'),
      capabilities: capabilitiesOf(row),
    };
  };

  return {
    isOpen,
    find(name) {
      const model = byName.get(name);
      const id = model?.id ?? (isOpen && (listed.has(name) || knownRow(name) !== null) ? name : null);
      return id === null ? null : { id, row: rowFor(id, model) };
    },
    known: () =>
      isOpen
        ? [...listed.keys()].map((id) => describe(id, undefined))
        : config.models.map((model) => describe(model.id, model)),
    learn(models) {
      for (const model of models) {
        const id = textAt(model, 'id');
        if (id !== null) listed.set(id, model);
      }
    },
  };
}

export function capabilitiesOf(row: ModelRow): Capabilities {
  return {
    operations: ['generate'],
    reads: [
      'text',
      ...(row.images ? (['image'] as const) : []),
      'document',
      'reasoning',
      'tool-call',
      'tool-result',
      'opaque',
    ],
    tools: row.tools,
    formats: row.structuredOutput ? ['text', 'json-schema'] : ['text'],
    logprobs: false,
    choices: 1,
    ...(row.maxOutputTokens !== null && { maxOutputTokens: row.maxOutputTokens }),
    ...(row.contextTokens !== null && { mostPromptTokens: Math.max(row.contextTokens, longContextTokens) }),
  };
}

const modes: readonly ThinkingMode[] = ['adaptive', 'enabled', 'disabled', 'between_tools'];
const efforts: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];

/** What the API itself says of a model, where it does, before what the table says. */
function listedRow(row: ModelRow, listed: JsonObject | undefined): ModelRow {
  if (listed === undefined) return row;
  const said = objectAt(listed, 'capabilities');
  const sized = {
    ...row,
    displayName: textAt(listed, 'display_name') ?? row.displayName,
    contextTokens: numberAt(listed, 'max_input_tokens') ?? row.contextTokens,
    maxOutputTokens: numberAt(listed, 'max_tokens') ?? row.maxOutputTokens,
  };
  if (said === null) return sized;
  const supports = (object: JsonObject | null, key: string) => objectAt(object ?? {}, key)?.['supported'];
  const types = objectAt(objectAt(said, 'thinking') ?? {}, 'types');
  const levels = objectAt(said, 'effort');
  return {
    ...sized,
    thinking: types === null ? row.thinking : modes.filter((mode) => supports(types, mode) === true),
    efforts: levels === null ? row.efforts : efforts.filter((level) => supports(levels, level) === true),
    structuredOutput: (supports(said, 'structured_outputs') ?? row.structuredOutput) === true,
    images: (supports(said, 'image_input') ?? row.images) === true,
  };
}
