import type { CloudModelConfig, ProviderConfig } from '../../config/providers.ts';
import { AppError } from '../../core/errors.ts';
import type { Ability, Capabilities, ModelInfo } from '../../core/model.ts';
import { answersAtOnce, rowFor, type ServiceRow } from './presets.ts';
import { countAt, isJson, jsonAt, listAt, textAt } from './wire.ts';

/** A model as a request means it. */
export interface ChosenModel {
  /** The service's own name. */
  id: string;
  row: ServiceRow;
  maxOutputTokens: number | null;
  /** Whether the configuration names it; else the client did. */
  isConfigured: boolean;
}

/** The models of one service: those that the configuration names, or where it names none those that the service lists. */
export interface ModelBook {
  /** Throws `model_not_found` for a name that cannot be one of them. */
  choose(name: string): ChosenModel;
  /** Whether `choose` would not throw. */
  mayHave(name: string): boolean;
  nameOf(name: string): string | null;
  capabilities(name: string): Capabilities | null;
  /** From the configuration; null: the service has to be asked. */
  configured(): ModelInfo[] | null;
  /** Takes what `/models` said, and keeps it as what is known. */
  listed(answer: unknown): ModelInfo[];
}

export function createModelBook(config: ProviderConfig, service: ServiceRow): ModelBook {
  const isOpen = config.models.length === 0;
  let known: ModelInfo[] = [];
  const find = (name: string): CloudModelConfig | undefined =>
    config.models.find(({ id }) => id === name) ?? config.models.find(({ aliases }) => aliases.includes(name));
  // Nothing of it changes while the provider is there, and each request asks several times.
  const rowOf = remembered((id) => withConfigured(rowFor(service, id), config.capabilities, find(id)));
  const capabilitiesFor = remembered((id): Capabilities => {
    const { maxOutputTokens: most = null, contextTokens = null } = find(id) ?? {};
    return {
      ...capabilitiesOf(id, rowOf(id)),
      ...(most !== null && { maxOutputTokens: most }),
      ...(contextTokens !== null && { mostPromptTokens: contextTokens }),
    };
  });
  const infoOf = (id: string, facts: Partial<ModelInfo>): ModelInfo => ({
    id,
    aliases: [],
    provider: config.id,
    displayName: id,
    createdAt: null,
    contextTokens: null,
    maxOutputTokens: null,
    state: 'ready',
    reason: null,
    thinks: mayThink(rowOf(id)),
    capabilities: capabilitiesFor(id),
    ...facts,
  });
  const nameOf = (name: string) => {
    if (!isOpen) return find(name)?.id ?? null;
    return known.some(({ id }) => id === name) ? name : null;
  };

  return {
    choose(name) {
      const model = find(name);
      if (!model && !isOpen) {
        throw new AppError('model_not_found', `${config.id} has no model called "${name}".`, { field: 'model' });
      }
      const id = model?.id ?? name;
      return { id, row: rowOf(id), maxOutputTokens: model?.maxOutputTokens ?? null, isConfigured: model !== undefined };
    },
    mayHave: (name) => isOpen || find(name) !== undefined,
    nameOf,
    capabilities(name) {
      const id = nameOf(name);
      return id === null ? null : capabilitiesFor(id);
    },
    configured() {
      if (isOpen) return null;
      return config.models.map(({ id, aliases, displayName, contextTokens, maxOutputTokens }) =>
        infoOf(id, { aliases, displayName: displayName ?? id, contextTokens, maxOutputTokens }),
      );
    },
    listed(answer) {
      const items = isJson(answer) ? listAt(answer, 'data') : Array.isArray(answer) ? answer : [];
      const byId = new Map<string, ModelInfo>();
      for (const item of items) {
        // Gemini lists names as `models/gemini-…` and takes both.
        const id = textAt(item, 'id')?.replace(/^models\//, '') ?? null;
        if (id === null || byId.has(id)) continue;
        const created = countAt(item, 'created');
        const contextTokens = countAt(item, 'max_model_len') ?? countAt(jsonAt(item, 'meta'), 'n_ctx_train');
        byId.set(id, infoOf(id, { createdAt: created ? new Date(created * 1_000) : null, contextTokens }));
      }
      known = [...byId.values()];
      return known;
    },
  };
}

/** Names that are remembered: a service without a list takes any. */
const mostNames = 256;

/** What a function says of a name, worked out once for each. */
function remembered<Value extends object>(of: (name: string) => Value): (name: string) => Value {
  const known = new Map<string, Value>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const value = of(name);
    if (known.size >= mostNames) known.clear();
    known.set(name, value);
    return value;
  };
}

/** As many alternatives as OpenAI's own service tells. */
const usualLogprobs = 20;

/** What the configuration says of the model, else of the service, wins over the row. */
function withConfigured(
  row: ServiceRow,
  said: ProviderConfig['capabilities'],
  model: CloudModelConfig | undefined,
): ServiceRow {
  const changes: Partial<ServiceRow> = {};
  const readsImages = model?.supportsVision ?? said['supports_vision'] ?? said['vision'];
  if (readsImages !== undefined) changes.readsImages = readsImages;
  if ((model?.supportsTools ?? said['supports_function_calling']) === false)
    changes.tools = { choices: [], parallelSwitch: false, strict: false };
  if (said['supports_json_mode'] === false) changes.formats = ['text'];
  if (said['supports_json_mode'] === true && !row.formats.includes('json')) changes.formats = [...row.formats, 'json'];
  if (said['supports_logprobs'] === false) changes.mostLogprobs = null;
  if (said['supports_logprobs'] === true) {
    changes.mostLogprobs = row.mostLogprobs ?? usualLogprobs;
    // Whoever says so knows its models.
    changes.reasonsByItself = row.reasonsByItself ?? false;
  }
  if (said['supports_embeddings'] !== undefined) {
    changes.endpoints = { ...row.endpoints, embeddings: said['supports_embeddings'] };
  }
  return { ...row, ...changes };
}

function capabilitiesOf(id: string, row: ServiceRow): Capabilities {
  const operations = operationsOf(id, row);
  const generates = operations.includes('generate');
  return {
    operations,
    reads: [
      'text',
      ...(generates ? (['tool-call', 'tool-result', 'reasoning'] as const) : []),
      ...(generates && row.readsImages ? (['image'] as const) : []),
      ...(generates && row.readsDocuments ? (['document'] as const) : []),
    ],
    tools: generates && row.tools.choices.length > 0,
    formats: generates ? row.formats : [],
    logprobs: generates && row.mostLogprobs !== null,
    choices: generates ? row.mostChoices : 1,
    countsTokens: row.endpoints.count !== null,
  };
}

function mayThink({ reasoning, reasonsByItself }: ServiceRow): boolean {
  return reasonsByItself === true || reasoning.by !== 'nothing';
}

/** Lists do not say what a model is for, its name mostly does. */
function operationsOf(id: string, row: ServiceRow): Ability[] {
  if (/rerank/i.test(id)) return ['rank'];
  if (/embed|(^|[/-])(bge|gte|e5|minilm)-/i.test(id)) return ['embed'];
  const decides = row.endpoints.decisions || (row.mostLogprobs !== null && answersAtOnce(row));
  return decides ? ['generate', 'decide'] : ['generate'];
}
