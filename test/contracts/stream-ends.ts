import { sseRecords } from '../http/harness.ts';

/** What closes a stream for its reader. */
export type StreamEnd = 'end' | 'error';

/**
 * The marks of an end and the errors of a stream in any dialect, in order; the last of them is its last record, or this
 * throws, as it does for a record that no strict reader takes. A stream that is well has one.
 */
export function streamEndsOf(text: string): StreamEnd[] {
  const isLines = text.startsWith('{');
  if (!text.endsWith(isLines ? '\n' : '\n\n')) throw new Error(`it ends within a record: ${text.slice(-80)}`);
  const records = isLines
    ? text
        .split('\n')
        .filter(Boolean)
        .map((data) => ({ event: undefined, data }))
    : sseRecords(text);
  const kinds = records.map(({ event, data }) => kindOf(event, data));
  // The last item of the native streams says so, and some of them have `[DONE]` behind it.
  const ends = kinds.filter((kind, index) => kind !== null && !(kind === 'end' && kinds[index - 1] === 'end'));
  if (kinds.at(-1) === null) throw new Error(`it has no end: ${text.slice(-80)}`);
  return ends as StreamEnd[];
}

function kindOf(event: string | undefined, data: string): StreamEnd | null {
  if (data === '[DONE]') return 'end';
  const record = JSON.parse(data);
  if (event === 'error' || record.type === 'error' || record.type === 'response.failed') return 'error';
  if (record.error) return 'error';
  const ends = ['message_stop', 'response.completed', 'response.incomplete'];
  return ends.includes(record.type) || record.done === true || record.finished === true ? 'end' : null;
}
