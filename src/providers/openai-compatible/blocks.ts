import { randomUUID } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import type { BlockEvent } from '../../core/events.ts';

/** A piece of a call, as a chunk has it. What is not in it is null. */
export interface CallPiece {
  /** Which of the calls of a turn; null: the service does not number them. */
  index: number | null;
  id: string | null;
  name: string | null;
  /** May be empty. */
  argumentsText: string;
}

/** The blocks of one choice, one after the other, however its pieces are mixed. */
export interface ChoiceBlocks {
  text(piece: string): BlockEvent[];
  reasoning(piece: string): BlockEvent[];
  call(piece: CallPiece): BlockEvent[];
  /** Ends what is open, and gives what still waits. */
  end(): BlockEvent[];
  /** Whether it calls a tool. */
  calls(): boolean;
}

/** A block in its place: the first tells its pieces at once, the others keep theirs until it is their turn. */
interface Place {
  blockId: number;
  kind: 'text' | 'reasoning' | 'tool-call';
  /** All of its text by now. */
  told: string;
  waiting: string;
  hasBegun: boolean;
  index: number | null;
  id: string;
  name: string;
}

/**
 * `nextBlockId`: of all choices of the answer. `tag`: the choice, where there are several. Calls come by index, with name
 * and arguments in one piece or in many, one after the other or mixed, and services number them badly: some give every
 * call the index 0, some none. A call is over when its arguments are a whole JSON value and something else begins.
 */
export function createChoiceBlocks(
  nextBlockId: () => number,
  tag: { choice?: number },
  provider: string,
): ChoiceBlocks {
  const places: Place[] = [];
  let hasCalls = false;

  const open = (kind: Place['kind'], call: Partial<Pick<Place, 'index' | 'id' | 'name'>> = {}): Place => {
    const place: Place = {
      blockId: nextBlockId(),
      kind,
      told: '',
      waiting: '',
      hasBegun: false,
      index: null,
      id: '',
      name: '',
      ...call,
    };
    places.push(place);
    return place;
  };
  const begin = (place: Place): BlockEvent => {
    place.hasBegun = true;
    const { blockId, id, name } = place;
    if (place.kind === 'tool-call') return { type: 'tool-call-start', blockId, ...tag, id, name };
    return { type: `${place.kind}-start`, blockId, ...tag };
  };
  const tell = (place: Place): BlockEvent[] => {
    const events: BlockEvent[] = place.hasBegun ? [] : [begin(place)];
    const { blockId, waiting: text } = place;
    if (text === '') return events;
    place.told += text;
    place.waiting = '';
    if (place.kind === 'tool-call') events.push({ type: 'tool-call-delta', blockId, ...tag, argumentsText: text });
    else events.push({ type: `${place.kind}-delta`, blockId, ...tag, text });
    return events;
  };
  const close = ({ kind, blockId }: Place): BlockEvent =>
    kind === 'reasoning'
      ? { type: 'reasoning-end', blockId, ...tag, signature: null }
      : { type: `${kind}-end`, blockId, ...tag };
  /** What can be told now: the first place, and the next ones where those before are over. */
  const flush = (isEnd = false): BlockEvent[] => {
    const events: BlockEvent[] = [];
    for (;;) {
      const [first] = places;
      if (!first) return events;
      events.push(...tell(first));
      if (!isEnd && (places.length === 1 || !isOver(first))) return events;
      events.push(close(first));
      places.shift();
    }
  };
  const add = (kind: 'text' | 'reasoning', piece: string): BlockEvent[] => {
    if (piece === '') return [];
    const last = places.at(-1);
    const place = last?.kind === kind ? last : open(kind);
    place.waiting += piece;
    return flush();
  };
  /** The call that a piece belongs to; null: a new one. */
  const callOf = ({ index, id, name }: CallPiece): Place | null => {
    const calls = places.filter(({ kind }) => kind === 'tool-call');
    const found = index === null ? calls.at(-1) : calls.findLast((call) => call.index === index);
    if (!found) return null;
    // Another id with a name is another call, whatever its number.
    return id !== null && name !== null && id !== found.id ? null : found;
  };

  return {
    calls: () => hasCalls,
    text: (piece) => add('text', piece),
    reasoning: (piece) => add('reasoning', piece),
    call(piece) {
      const found = callOf(piece);
      if (!found && piece.name === null) {
        // White space behind a call that is over changes nothing.
        if (piece.argumentsText.trim() === '') return [];
        throw misordered(provider);
      }
      hasCalls = true;
      const place =
        found ?? open('tool-call', { index: piece.index, id: piece.id ?? `call_${randomUUID()}`, name: piece.name! });
      place.waiting += piece.argumentsText;
      return flush();
    },
    end: () => flush(true),
  };
}

/** Whether nothing more can belong to a block when another one is there. */
function isOver({ kind, told }: Place): boolean {
  if (kind !== 'tool-call') return true;
  try {
    JSON.parse(told);
    return true;
  } catch {
    // It is still being written.
    return false;
  }
}

function misordered(provider: string): AppError {
  return new AppError('upstream_unavailable', `${provider} sent a piece of a tool call that it has not begun.`, {
    details: { provider },
  });
}
