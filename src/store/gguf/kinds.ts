import type { AppError } from '../../core/errors.ts';
import { invalidModelFile } from './limits.ts';
import type { Metadata } from './metadata.ts';

/** Files that belong to a model and are none. Source: llama.cpp, `general.type` and the keys of its converters. */
export function assertIsModel(metadata: Metadata): void {
  const textOf = (key: string) => {
    const entry = metadata.get(key);
    return entry?.type === 'string' ? entry.value : null;
  };
  const type = textOf('general.type');
  if (type === 'adapter' || metadata.has('adapter.type')) {
    throw invalidModelFile('adapter', 'The file is an adapter (LoRA), which belongs to another model.');
  }
  if (type === 'mmproj' || type === 'clip-vision') throw projectorFile();
  if (type === 'imatrix' || metadata.has('imatrix.datasets')) {
    throw invalidModelFile('imatrix', 'The file is an importance matrix (imatrix), with which models are quantized.');
  }
  if (textOf('general.architecture') === 'controlvector') {
    throw invalidModelFile('control_vector', 'The file is a control vector, which belongs to another model.');
  }
}

/**
 * Models that decide by a head of their own. The inference library has no code for one, and as a chat model such a file
 * would say nothing of sense. `key`: where its architecture names the head.
 */
export function assertHasNoDecisionHead(metadata: Metadata, key: string): void {
  const entry = metadata.get(key);
  if (entry === undefined) return;
  const told = entry.type === 'string' ? (entry.value ?? '') : '';
  const name = /^[\w.-]{1,32}$/.test(told) ? ` ("${told}")` : '';
  throw invalidModelFile(
    'decision_head',
    `The model decides by a head of its own${name}, which the inference library cannot run; any chat model can be asked for decisions.`,
  );
}

/** What is said of a vision projector. */
export function projectorFile(): AppError {
  return invalidModelFile('projector', 'The file is a projector (mmproj), which belongs to another model.');
}
