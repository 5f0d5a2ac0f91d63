import { randomBytes } from 'node:crypto';

/** An item of a conversation as answers and the store hold it: what the client sent or the model said, with an id. */
export interface Item {
  type: string;
  id: string;
  [field: string]: unknown;
}

/** Where an item stands, for ids: what the model said, and what it was sent. */
type Place = 'output' | 'input';

const prefixes: Readonly<Record<string, string>> = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  function_call_output: 'fco',
  custom_tool_call: 'ctc',
  custom_tool_call_output: 'ctco',
  local_shell_call: 'lsh',
  local_shell_call_output: 'lsho',
  apply_patch_call: 'apc',
  apply_patch_call_output: 'apco',
  compaction: 'cmp',
};

/** Places of inputs begin here, those of outputs at 0. */
const firstInput = 0x8000;

export function newResponseId(): string {
  return `resp_${randomBytes(16).toString('hex')}`;
}

/** The id of an item holds that of its response, so that a reference to it needs no list of all items. */
export function itemId(responseId: string, type: string, place: Place, index: number): string {
  const number = (place === 'input' ? firstInput : 0) + index;
  return `${prefixes[type] ?? 'item'}_${responseId.slice('resp_'.length)}${number.toString(16).padStart(4, '0')}`;
}

/** The response in which an item of ours stands; null: the id is none that we made. */
export function responseIdOf(id: string): string | null {
  const found = /^[a-z]+_(?<response>[0-9a-f]{32})[0-9a-f]{4}$/.exec(id)?.groups?.['response'];
  return found === undefined ? null : `resp_${found}`;
}
