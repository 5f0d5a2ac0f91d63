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
  /** As the header of a whole answer says it; left out: of this machine, unknown, or it has not ended. */
  cost?: string;
}

/** Responses that can be asked for again, each by the principal that made it. */
export interface KeptResponses {
  /** `events`: of its stream, where it was made in the background; null: none are kept. */
  save(owner: string, stored: StoredResponse, events: readonly ResponseEvent[] | null): Promise<void>;
  /** Rejects with `not_found` that names `field`. */
  load(owner: string, id: string, field?: string): Promise<StoredResponse>;
  eventsOf(owner: string, id: string): Promise<ResponseEvent[] | null>;
  remove(owner: string, id: string): Promise<boolean>;
  /** All items up to and including a response, the oldest first. Rejects as `load` does. */
  historyOf(owner: string, id: string, field: string): Promise<Item[]>;
  /** The items that come before a response's own input, and that. */
  inputOf(owner: string, stored: StoredResponse): Promise<Item[]>;
  /** Items with those that references among them stand for. Rejects with `not_found` that names the reference. */
  resolve(owner: string, items: readonly InputItem[], history: readonly Item[]): Promise<PlacedItem[]>;
  /** Whether it is one of ours. */
  has(owner: string, id: string): Promise<boolean>;
  /** Notes that a response which this provider keeps was given to this owner. */
  notePassed(owner: string, id: string, provider: string): Promise<void>;
  /** Id of the provider that keeps a response; null: there is none of this owner, or it was so long ago that it is not known. */
  keeperOf(owner: string, id: string): Promise<string | null>;
  /** The provider keeps it no more. */
  forgetPassed(owner: string, id: string): Promise<void>;
  /** Those that another life of the server, or a replica that is no more, left unfinished, with their owners. */
  abandoned(): Promise<{ owner: string; stored: StoredResponse }[]>;
}

/** A conversation of more turns than this is told to be made shorter. */
const maxTurns = 2_048;

export function unknownResponse(id: string, field?: string): AppError {
  return new AppError('not_found', `There is no response "${shortened(id)}", or it is not kept any more.`, {
    ...(field !== undefined && { field }),
  });
}

/** Under which it is noted whose a provider's response is: not the id of one of our own. */
const passedId = (id: string) => `passed ${id}`;

export function createKeptResponses(kept: KeptTexts): KeptResponses {
  const keeperOf: KeptResponses['keeperOf'] = (owner, id) => kept.get(passedId(id), owner);
  const load: KeptResponses['load'] = async (owner, id, field) => {
    const text = await kept.get(id, owner);
    if (text !== null) return parse(text);
    const keeper = await keeperOf(owner, id);
    if (keeper === null) throw unknownResponse(id, field);
    throw new AppError(
      'invalid_request',
      `The response "${shortened(id)}" is kept by the provider "${keeper}" alone.`,
      {
        ...(field !== undefined && { field }),
        fix: `Ask a model of "${keeper}", by a request that it can take as it is.`,
      },
    );
  };
  const historyOf: KeptResponses['historyOf'] = async (owner, id, field) => {
    const turns: Item[][] = [];
    for (let next: string | null = id; next !== null; ) {
      if (turns.length === maxTurns) {
        throw new AppError('invalid_request', `The conversation has more than ${maxTurns} turns.`, {
          field,
          fix: 'Compact it with POST /v1/responses/compact.',
        });
      }
      const { response, input } = await load(owner, next, field);
      if (!hasEnded(response)) {
        throw new AppError('invalid_request', `The response "${next}" has not ended yet.`, { field });
      }
      turns.push([...input, ...response.output]);
      next = response.previous_response_id;
    }
    return turns.reverse().flat();
  };
  const find = async (owner: string, id: string, history: readonly Item[]): Promise<Item | null> => {
    const known = history.find((item) => item.id === id);
    if (known) return known;
    const responseId = responseIdOf(id);
    const text = responseId === null ? null : await kept.get(responseId, owner);
    if (text === null) return null;
    const { response, input } = parse(text);
    return [...input, ...response.output].find((item) => item.id === id) ?? null;
  };
  return {
    load,
    historyOf,
    has: async (owner, id) => (await kept.get(id, owner)) !== null,
    notePassed: (owner, id, provider) =>
      kept.put({ id: passedId(id), owner, isOpen: false, text: provider, log: null }),
    keeperOf,
    async forgetPassed(owner, id) {
      await kept.remove(passedId(id), owner);
    },
    async save(owner, stored, events) {
      const { response } = stored;
      await kept.put({
        id: response.id,
        owner,
        isOpen: !hasEnded(response),
        text: JSON.stringify(stored),
        log: events && JSON.stringify(events),
      });
    },
    async eventsOf(owner, id) {
      const log = await kept.logOf(id, owner);
      if (log === null) return null;
      const events: ResponseEvent[] = JSON.parse(log);
      return events;
    },
    remove: (owner, id) => kept.remove(id, owner),
    async inputOf(owner, { response, input }) {
      const before = response.previous_response_id;
      return before === null ? input : [...(await historyOf(owner, before, 'previous_response_id')), ...input];
    },
    async resolve(owner, items, history) {
      const placed: PlacedItem[] = [];
      for (const [index, item] of items.entries()) {
        const field = `input.${index}`;
        const id = item['id'];
        const isReference =
          item.type === 'item_reference' || (!item.type && !('role' in item) && !('content' in item) && 'id' in item);
        const found = isReference && typeof id === 'string' ? await find(owner, id, history) : item;
        if (found) placed.push({ item: found, field });
        else
          throw new AppError('not_found', `There is no item "${shortened(String(id))}", or it is not kept any more.`, {
            field: `${field}.id`,
          });
      }
      return placed;
    },
    abandoned: async () => (await kept.abandoned()).map(({ owner, text }) => ({ owner, stored: parse(text) })),
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
