import { AppError } from '../../../core/errors.ts';
import type { ModelInfo } from '../../../core/model.ts';
import { validationError } from '../../fields/validation.ts';
import { type PageQuery, strictPageQuery } from './schema.ts';

export { anthropicModel, anthropicModelList, pageQuery } from './schema.ts';

/** As many as Anthropic sends when not told otherwise. */
const defaultLimit = 20;

const yes = { supported: true };
const no = { supported: false };

/** A model as Anthropic's API shows it; the epoch stands for a time that nobody knows. */
export function toAnthropicModel(model: ModelInfo) {
  const { id, displayName, provider, createdAt, contextTokens, maxOutputTokens } = model;
  return {
    type: 'model' as const,
    id,
    display_name: displayName,
    provider,
    created_at: (createdAt ?? new Date(0)).toISOString(),
    max_input_tokens: contextTokens,
    // Where only the context bounds an answer.
    max_tokens: maxOutputTokens ?? contextTokens,
    lifecycle: 'active' as const,
    line: null,
    deprecated_at: null,
    retires_at: null,
    capabilities: toCapabilities(model),
  };
}

/** Clients switch features by these. Null for a model that does not converse. */
function toCapabilities({ capabilities, thinks: canThink }: ModelInfo) {
  if (!capabilities.operations.includes('generate')) return null;
  const reads = (part: (typeof capabilities.reads)[number]) => ({ supported: capabilities.reads.includes(part) });
  // A budget binds every model that thinks, and changes nothing for one that does not.
  const thinks = { supported: canThink };
  return {
    batch: yes,
    citations: no,
    code_execution: no,
    context_management: {
      supported: true,
      clear_thinking_20251015: yes,
      clear_tool_uses_20250919: yes,
      compact_20260112: no,
    },
    effort: { ...thinks, low: thinks, medium: thinks, high: thinks, xhigh: thinks, max: thinks },
    image_input: reads('image'),
    pdf_input: reads('document'),
    server_tools: { supported: false, code_execution: no, web_search: no },
    structured_outputs: { supported: capabilities.formats.includes('json-schema') },
    thinking: { ...thinks, types: { adaptive: thinks, between_tools: thinks, disabled: yes, enabled: thinks } },
  };
}

/**
 * A page of models as Anthropic's API shows it, the newest first: those after `after_id`, those right before `before_id`,
 * or the first. Throws `invalid_request` that names the parameter at fault.
 */
export function toAnthropicPage(models: readonly ModelInfo[], query: PageQuery) {
  const { limit = defaultLimit, after_id: after, before_id: before, 'lifecycle[]': lifecycle } = checkQuery(query);
  // None of ours is on its way out.
  const asked = lifecycle === undefined || [lifecycle].flat().includes('active') ? models : [];
  const timeOf = ({ createdAt }: ModelInfo) => createdAt?.getTime() ?? 0;
  const sorted = asked.toSorted((a, b) => timeOf(b) - timeOf(a) || (a.id < b.id ? -1 : 1));
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

function placeOf(id: string, models: readonly ModelInfo[], field: string): number {
  const place = models.findIndex((model) => model.id === id);
  if (place === -1) throw new AppError('invalid_request', `"${field}" is no model of the list.`, { field });
  return place;
}
