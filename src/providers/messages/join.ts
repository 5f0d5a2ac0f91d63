import { addDelta, withInput } from './from-wire.ts';
import { isObject, type JsonObject, numberAt, objectAt, textAt } from './json.ts';
import { mergeUsage } from './usage.ts';

/** Joins the events of a stream into the message that the API would have sent whole. */
export interface MessageJoiner {
  push(event: JsonObject): void;
  /** The message so far. */
  message(): JsonObject;
}

export function createMessageJoiner(): MessageJoiner {
  let message: JsonObject = {};
  const blocks = new Map<number, { block: JsonObject; input: string }>();
  const at = (event: JsonObject) => blocks.get(numberAt(event, 'index') ?? -1);
  return {
    push(event) {
      switch (event['type']) {
        case 'message_start':
          message = { ...objectAt(event, 'message') };
          break;
        case 'content_block_start':
          blocks.set(numberAt(event, 'index') ?? -1, { block: { ...objectAt(event, 'content_block') }, input: '' });
          break;
        case 'content_block_delta': {
          const open = at(event);
          const delta = objectAt(event, 'delta');
          if (open === undefined || delta === null) break;
          if (delta['type'] === 'input_json_delta') open.input += textAt(delta, 'partial_json') ?? '';
          else addDelta(open.block, delta);
          break;
        }
        case 'message_delta': {
          const { type: _type, delta, usage, ...beside } = event;
          const counted = mergeUsage(objectAt(message, 'usage') ?? {}, isObject(usage) ? usage : null);
          message = { ...message, ...beside, ...(isObject(delta) && delta), usage: counted };
        }
      }
    },
    message: () => ({ ...message, content: [...blocks.values()].map(({ block, input }) => withInput(block, input)) }),
  };
}
