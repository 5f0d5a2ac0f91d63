import { AppError } from '../../../core/errors.ts';
import type { Preset } from '../../../core/preset.ts';
import type { MakeWish } from '../../../core/pull.ts';
import { namedModel } from '../objects/names.ts';
import { toCoreOptions } from '../objects/options.ts';
import { jinjaTemplate } from '../objects/template.ts';
import type { CreateBody } from './schema.ts';

/** What would make another model than the one that is wished if it were left out. */
const refusedFields = {
  messages: 'Made models have no messages of their own; put them into the system text.',
  adapters: 'Adapters are not loaded here.',
  quantize: 'Nothing is quantized here; send the file as it is to be.',
  modelfile: 'A Modelfile is read by the client; send its parts: "from", "system", "template", "parameters".',
} as const;

/** A creation in the words of the store. Throws `invalid_request`. */
export function createToCore(body: CreateBody): MakeWish {
  for (const [field, problem] of Object.entries(refusedFields)) {
    const value = body[field as keyof typeof refusedFields] ?? null;
    if (value !== null && Object.keys(value).length > 0) {
      throw new AppError('invalid_request', `"${field}": ${problem}`, { field });
    }
  }
  return { name: namedModel(body), from: toSource(body), preset: toPreset(body) };
}

function toSource({ from, files }: CreateBody): MakeWish['from'] {
  const digests = Object.values(files ?? {});
  if (from && digests.length > 0) {
    throw new AppError('invalid_request', '"files" cannot stand beside "from".', { field: 'files' });
  }
  if (from) return { type: 'model', name: from };
  if (digests.length === 1) return { type: 'blob', digest: digests[0]! };
  if (digests.length === 0) {
    throw new AppError('invalid_request', '"from" or "files" is required.', { field: 'from' });
  }
  throw new AppError('invalid_request', '"files": a model is made of one GGUF file.', { field: 'files' });
}

function toPreset({ system, template, parameters }: CreateBody): Preset {
  const { sampling, stop, maxTokens, contextTokens } = toCoreOptions(parameters);
  return {
    ...(system && { system }),
    ...(template && { template: jinjaTemplate(template) }),
    ...(Object.keys(sampling).length > 0 && { sampling }),
    ...(stop.length > 0 && { stop }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(contextTokens !== undefined && { contextTokens }),
  };
}
