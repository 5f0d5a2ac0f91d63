import { AppError } from '../../../core/errors.ts';
import { validationError } from '../../fields/validation.ts';
import { type ListedModel, type PageQuery, strictPageQuery } from './schema.ts';

/** As many as Anthropic sends when not told otherwise. */
const defaultLimit = 20;

/** A model as Anthropic's API shows it. */
export function toAnthropicModel({ id, createdAt }: ListedModel) {
  return { type: 'model' as const, id, display_name: id, created_at: createdAt.toISOString() };
}

/**
 * A page of models as Anthropic's API shows it, the newest first: those after `after_id`, those right before `before_id`,
 * or the first. Throws `invalid_request` that names the parameter at fault.
 */
export function toAnthropicPage(models: readonly ListedModel[], query: PageQuery) {
  const { limit = defaultLimit, after_id: after, before_id: before } = checkQuery(query);
  const sorted = models.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : 1));
  const end = before === undefined ? sorted.length : placeOf(before, sorted, 'before_id');
  const start = after === undefined ? 0 : placeOf(after, sorted, 'after_id') + 1;
  const page = before === undefined ? sorted.slice(start, start + limit) : sorted.slice(Math.max(0, end - limit), end);
  return {
    data: page.map(toAnthropicModel),
    has_more: before === undefined ? start + limit < sorted.length : end > limit,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
}

function checkQuery(query: PageQuery) {
  const result = strictPageQuery.safeParse(query);
  if (!result.success) throw validationError(result.error.issues);
  if (result.data.after_id !== undefined && result.data.before_id !== undefined) {
    throw new AppError('invalid_request', '"after_id" and "before_id" exclude each other.', {
      field: 'before_id',
      fix: 'Send one.',
    });
  }
  return result.data;
}

function placeOf(id: string, models: readonly ListedModel[], field: string): number {
  const place = models.findIndex((model) => model.id === id);
  if (place === -1) throw new AppError('invalid_request', `"${field}" is no model of the list.`, { field });
  return place;
}
