import { isDeepStrictEqual } from 'node:util';
import { createParser } from 'eventsource-parser';

// biome-ignore lint/suspicious/noExplicitAny: events as they are on the wire
type Wire = any;

/** What has begun and not ended yet. */
interface OpenItem {
  item: Wire;
  index: number;
  /** Text of the part that is being made. */
  joined: string;
  isPartOpen: boolean;
}

const withParts = ['message', 'reasoning'];

/** The response that a strict client makes of a stream: it throws for whatever is out of order or does not fit together. */
export function accumulateResponse(text: string): Wire {
  const events: Wire[] = [];
  createParser({
    onEvent: ({ event: name, data }) => {
      const event = JSON.parse(data);
      must(name === event.type, `${name} is not ${event.type}`);
      events.push(event);
    },
  }).feed(text);
  const items: Wire[] = [];
  let open: OpenItem | null = null;
  for (const [index, event] of events.entries()) {
    must(event.sequence_number === index, `${event.type} has the number ${event.sequence_number}, not ${index}`);
    const kind = event.type.replace('response.', '');
    if (index < 2) {
      must(kind === ['created', 'in_progress'][index], `${kind} at ${index}`);
      must(
        event.response.status === 'in_progress' && event.response.output.length === 0,
        `${kind} of an older response`,
      );
    } else if (['completed', 'incomplete', 'failed'].includes(kind)) {
      must(open === null && index === events.length - 1, `${kind} before the end`);
      must(event.response.status === kind, `${kind} with the status ${event.response.status}`);
      must(isDeepStrictEqual(event.response.output, items), 'the items are not those of the response');
      return event.response;
    } else if (kind === 'output_item.added') {
      must(open === null && event.output_index === items.length, `an item at ${event.output_index}`);
      open = { item: event.item, index: event.output_index, joined: '', isPartOpen: false };
    } else {
      must(open !== null, `${kind} outside of an item`);
      if (kind === 'output_item.done') {
        must(!open!.isPartOpen && event.item.id === open!.item.id, 'the end of another item');
        must(event.item.type === open!.item.type, `${open!.item.type} became ${event.item.type}`);
        items.push(event.item);
        open = null;
      } else takePart(open!, kind, event);
    }
  }
  throw new Error('no terminal event');
}

/** An event within an item. */
function takePart(open: OpenItem, kind: string, event: Wire): void {
  must(event.item_id === open.item.id && event.output_index === open.index, `${kind} of another item`);
  if (kind.endsWith('part.added')) {
    must(!open.isPartOpen && event.part.text === '', 'a part within a part');
    open.isPartOpen = true;
    open.joined = '';
  } else if (kind.endsWith('part.done')) {
    must(open.isPartOpen && event.part.text === open.joined, 'a part with another text');
    open.isPartOpen = false;
  } else {
    must(open.isPartOpen === withParts.includes(open.item.type), `${kind} without a part`);
    if (kind.endsWith('.delta')) {
      if (kind === 'output_text.delta') must(Array.isArray(event.logprobs), 'a delta without logprobs');
      open.joined += event.delta;
    } else if (kind.endsWith('.done')) {
      must((event.text ?? event.arguments ?? event.input) === open.joined, `${kind} with another text`);
    } else throw new Error(`unknown event ${kind}`);
  }
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
