import { AppError } from '../../../core/errors.ts';
import type { KeptTexts } from '../../../core/kept.ts';
import type { ResponseAnswer } from './answer-schema.ts';
import type { PlacedItem } from './conversation.ts';
import { hasEnded, type ResponseEvent } from './from-core.ts';
import { type Item, itemId, responseIdOf } from './item.ts';
import type { InputItem } from './schema.ts';

/** A response as it is kept: with the input that it was made for, that of earlier responses aside. */
export interface StoredResponse {
  response: ResponseAnswer;
  input: Item[];
}

/** Responses that can be asked for again, each by the principal that made it. */
export interface KeptResponses {
  /** `events`: of its stream, where it was made in the background; null: none are kept. */
  save(owner: string, stored: StoredResponse, events: readonly ResponseEvent[] | null): void;
  /** Throws `not_found` that names `field`. */
  load(owner: string, id: string, field?: string): StoredResponse;
  eventsOf(owner: string, id: string): ResponseEvent[] | null;
  remove(owner: string, id: string): boolean;
  /** All items up to and including a response, the oldest first. Throws as `load` does. */
  historyOf(owner: string, id: string, field: string): Item[];
  /** The items that come before a response's own input, and that. */
  inputOf(owner: string, stored: StoredResponse): Item[];
  /** Items with those that references among them stand for. Throws `not_found` that names the reference. */
  resolve(owner: string, items: readonly InputItem[], history: readonly Item[]): PlacedItem[];
  /** Those that another life of the server left unfinished, with their owners. */
  abandoned(): { owner: string; stored: StoredResponse }[];
}

/** A conversation of more turns than this is told to be made shorter. */
const maxTurns = 2_048;

export function createKeptResponses(kept: KeptTexts): KeptResponses {
  const load: KeptResponses['load'] = (owner, id, field) => {
    const text = kept.get(id, owner);
    if (text !== null) return parse(text);
    throw new AppError('not_found', `There is no response "${shortened(id)}", or it is not kept any more.`, {
      ...(field !== undefined && { field }),
    });
  };
  const historyOf: KeptResponses['historyOf'] = (owner, id, field) => {
    const turns: Item[][] = [];
    for (let next: string | null = id; next !== null; ) {
      if (turns.length === maxTurns) {
        throw new AppError('invalid_request', `The conversation has more than ${maxTurns} turns.`, {
          field,
          fix: 'Compact it with POST /v1/responses/compact.',
        });
      }
      const { response, input } = load(owner, next, field);
      if (!hasEnded(response)) {
        throw new AppError('invalid_request', `The response "${next}" has not ended yet.`, { field });
      }
      turns.push([...input, ...response.output]);
      next = response.previous_response_id;
    }
    return turns.reverse().flat();
  };
  const find = (owner: string, id: string, history: readonly Item[]): Item | null => {
    const known = history.find((item) => item.id === id);
    if (known) return known;
    const responseId = responseIdOf(id);
    const text = responseId === null ? null : kept.get(responseId, owner);
    if (text === null) return null;
    const { response, input } = parse(text);
    return [...input, ...response.output].find((item) => item.id === id) ?? null;
  };
  return {
    load,
    historyOf,
    save(owner, stored, events) {
      const { response } = stored;
      kept.put({
        id: response.id,
        owner,
        isOpen: !hasEnded(response),
        text: JSON.stringify(stored),
        log: events && JSON.stringify(events),
      });
    },
    eventsOf(owner, id) {
      const log = kept.logOf(id, owner);
      if (log === null) return null;
      const events: ResponseEvent[] = JSON.parse(log);
      return events;
    },
    remove: (owner, id) => kept.remove(id, owner),
    inputOf(owner, { response, input }) {
      const before = response.previous_response_id;
      return before === null ? input : [...historyOf(owner, before, 'previous_response_id'), ...input];
    },
    resolve: (owner, items, history) =>
      items.map((item, index) => {
        const field = `input.${index}`;
        const id = item['id'];
        const isReference =
          item.type === 'item_reference' || (!item.type && !('role' in item) && !('content' in item) && 'id' in item);
        if (!isReference || typeof id !== 'string') return { item, field };
        const found = find(owner, id, history);
        if (found) return { item: found, field };
        throw new AppError('not_found', `There is no item "${shortened(id)}", or it is not kept any more.`, {
          field: `${field}.id`,
        });
      }),
    abandoned: () => kept.abandoned().map(({ owner, text }) => ({ owner, stored: parse(text) })),
  };
}

/** The items of an input as they are kept and listed: each with its type, an id, and a status where it may have one. */
export function toStoredItems(responseId: string, items: readonly PlacedItem[]): Item[] {
  return items.map(({ item }, index) => {
    const type = item.type ?? 'message';
    const id = item['id'];
    const named = { ...item, type, id: typeof id === 'string' ? id : itemId(responseId, type, 'input', index) };
    if (type !== 'message') return named;
    const content = item['content'];
    const part = item['role'] === 'assistant' ? 'output_text' : 'input_text';
    return {
      ...named,
      status: item['status'] ?? 'completed',
      content: typeof content === 'string' ? [{ type: part, text: content }] : content,
    };
  });
}

/** What `save` wrote. */
function parse(text: string): StoredResponse {
  const stored: StoredResponse = JSON.parse(text);
  return stored;
}

function shortened(id: string): string {
  return id.length <= 100 ? id : `${id.slice(0, 100)}…`;
}
