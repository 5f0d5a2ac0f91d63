import { localProviderId } from '../../core/call.ts';
import type { Capabilities, ModelInfo } from '../../core/model.ts';
import type { Provider } from '../../core/provider.ts';
import type { Engine, LocalModel } from '../../engine/engine.ts';

/** The models of this machine as a provider: the engine already speaks the common vocabulary. */
export function createLocalProvider(deps: { engine: Engine }): Provider {
  const { engine } = deps;
  return {
    id: localProviderId,
    // A slot and a prompt that fits are there by then; what may still happen is a crash, which the engine handles.
    commitsAt: 'start',
    stream: engine.stream,
    embed: engine.embed,
    rank: engine.rank,
    decide: engine.decide,
    count: engine.count,
    tokens: engine.tokens,
    async models() {
      const models = await engine.listModels();
      // A file that cannot be used can only be asked for its reason, which is the native list's.
      return models.filter(({ state }) => state !== 'invalid').map(toModelInfo);
    },
    nameOf: engine.nameOf,
    capabilities(name) {
      const purpose = engine.purposeOf(name);
      return purpose && capabilitiesOf[purpose];
    },
    status: () => engine.status(),
  };
}

const text = ['text', 'tool-call', 'tool-result', 'reasoning'] as const;

/** What models of this machine can do, by what they were made for. */
const capabilitiesOf: Record<LocalModel['purpose'], Capabilities> = {
  generate: {
    operations: ['generate', 'decide'],
    reads: text,
    tools: true,
    formats: ['text', 'json', 'json-schema', 'grammar'],
    logprobs: true,
    choices: 8,
  },
  embed: { operations: ['embed'], reads: ['text'], tools: false, formats: [], logprobs: false, choices: 1 },
  rank: { operations: ['rank'], reads: ['text'], tools: false, formats: [], logprobs: false, choices: 1 },
};

function toModelInfo(model: LocalModel): ModelInfo {
  const isUsable = model.state !== 'quarantined';
  return {
    id: model.name,
    aliases: model.aliases,
    provider: localProviderId,
    displayName: model.name,
    createdAt: model.modifiedAt,
    contextTokens: model.loaded?.contextTokens ?? model.trainedContextTokens,
    maxOutputTokens: null,
    state: !isUsable ? 'unavailable' : model.loaded ? 'ready' : 'available',
    reason: isUsable ? null : model.reason,
    thinks: model.thinks,
    capabilities: capabilitiesOf[model.purpose],
  };
}
