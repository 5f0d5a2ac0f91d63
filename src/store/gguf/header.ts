import type { ModelHeader } from '../../core/pull.ts';
import { chatTemplateKey, type Metadata } from './metadata.ts';
import type { Tensor } from './tensors.ts';

/** What a header says, for people who look at it. */
export function toModelHeader(metadata: Metadata, tensors: readonly Tensor[]): ModelHeader {
  const template = metadata.get(chatTemplateKey);
  return {
    metadata: Object.fromEntries(
      [...metadata].flatMap(([key, entry]) => {
        if (key === chatTemplateKey) return [];
        return [[key, entry.type === 'array' ? entry.values : entry.value] as const];
      }),
    ),
    template: template?.type === 'string' ? template.value : null,
    tensors: tensors.map(({ name, label, dimensions }) => ({ name, type: label, shape: dimensions })),
  };
}
