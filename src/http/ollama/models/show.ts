import type { Preset } from '../../../core/preset.ts';
import type { MadeModel, ModelHeader } from '../../../core/pull.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import { toCapabilities, toDetails, variantOf } from './from-core.ts';

/** A model as `show` has it. `name`: as the client wrote it. */
export function toShown(
  name: string,
  model: LocalModel,
  header: ModelHeader,
  { made, isVerbose }: { made: MadeModel | null; isVerbose: boolean },
) {
  const preset = made?.preset ?? {};
  const template = preset.template ?? header.template ?? '';
  return {
    modelfile: toModelfile(made?.from ?? model.name, preset),
    parameters: toParameters(preset)
      .map(([key, value]) => `${key.padEnd(30)} ${value}`)
      .join('\n'),
    template,
    ...(preset.system !== undefined && { system: preset.system }),
    details: toDetails(model, variantOf(model, made?.from ?? name), made?.from ?? ''),
    model_info: {
      ...header.metadata,
      ...(model.parameterCount !== null && { 'general.parameter_count': model.parameterCount }),
    },
    capabilities: toCapabilities(model),
    modified_at: (made?.createdAt ?? model.modifiedAt).toISOString(),
    ...(isVerbose && { tensors: header.tensors.map((tensor) => ({ ...tensor, type: tensor.type.toUpperCase() })) }),
  };
}

/** The text that would make this name again. */
function toModelfile(from: string, preset: Preset): string {
  const quote = (text: string) => `"""${text}"""`;
  return [
    `FROM ${from}`,
    ...(preset.template === undefined ? [] : [`TEMPLATE ${quote(preset.template)}`]),
    ...(preset.system === undefined ? [] : [`SYSTEM ${quote(preset.system)}`]),
    ...toParameters(preset).map(([key, value]) => `PARAMETER ${key} ${value}`),
    '',
  ].join('\n');
}

/** Parameters by the names that Ollama's files have for them. */
function toParameters({ sampling = {}, stop = [], maxTokens, contextTokens }: Preset): [string, string][] {
  const numbers: [string, number | undefined][] = [
    ['temperature', sampling.temperature],
    ['top_p', sampling.topP],
    ['top_k', sampling.topK],
    ['min_p', sampling.minP],
    ['seed', sampling.seed],
    ['repeat_penalty', sampling.repeatPenalty],
    ['repeat_last_n', sampling.penaltyTokens],
    ['frequency_penalty', sampling.frequencyPenalty],
    ['presence_penalty', sampling.presencePenalty],
    ['num_predict', maxTokens],
    ['num_ctx', contextTokens],
  ];
  return [
    ...numbers.flatMap(([key, value]): [string, string][] => (value === undefined ? [] : [[key, String(value)]])),
    ...stop.map((text): [string, string] => ['stop', JSON.stringify(text)]),
  ];
}
