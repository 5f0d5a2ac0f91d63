import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { needsText } from '../../fields/exclusions.ts';
import { modelNameField } from '../../fields/model-name.ts';

export const tags = ['Ollama'];

/** A model in a body: `model`, or `name` as older clients call it. */
export const modelFields = { model: modelNameField.nullish(), name: modelNameField.nullish() };

/** What the schema of a body says where the name cannot be left out: `namedModel` looks. */
export const needsName = needsText('model', 'name');

/** The model that a body names; the default one where it names none. */
export function modelOf(body: { model?: string | null | undefined; name?: string | null | undefined }): string {
  return body.model || body.name || 'default';
}

/** A name as this dialect lists it: always with a tag. */
export function withTag(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).includes(':') ? name : `${name}:latest`;
}

export const streamField = z.boolean().nullish().meta({ description: 'Lines of JSON as they come.' });

/** The model that a body names. Throws `invalid_request` where it names none: what follows is not for the default model. */
export function namedModel(body: { model?: string | null | undefined; name?: string | null | undefined }): string {
  const name = body.model || body.name;
  if (name) return name;
  throw new AppError('invalid_request', '"model" is required.', { field: 'model' });
}
