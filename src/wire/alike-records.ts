import { bufferOf } from './buffers.ts';

/** Records of a stream that are one before them again but for one text. */
export interface AlikeRecords {
  /**
   * Remembers a record. `text`: the same, decoded; its one member of the name `key` has the value `value`. Where that cannot be found for
   * sure, nothing is remembered.
   */
  learn(record: Uint8Array, text: string, member: { key: string; value: string }): void;
  /** What a record has in place of the text of the one that is remembered; null: it differs in more than that. */
  textOf(record: Uint8Array): string | null;
}

/** So many in a row are remembered in vain: services that add something new to each record have no two that are alike. */
const mostLearned = 8;

/**
 * Most records of an answer are alike, and to read the one text in which they differ takes a third of the time that reading all of
 * the record does. Bytes around it are compared, and it must be one literal of JSON: what was understood of the rest holds again.
 */
export function createAlikeRecords(): AlikeRecords {
  let before: Buffer | null = null;
  let behind: Buffer | null = null;
  /** Since one was alike. */
  let learned = 0;

  return {
    learn(record, text, { key, value }) {
      before = null;
      behind = null;
      if (learned++ >= mostLearned) return;
      const name = `"${key}":`;
      const at = text.indexOf(name);
      // Quotes within a text are escaped: this is the name of a member, and of one alone.
      if (at === -1 || text.indexOf(name, at + 1) !== -1) return;
      const start = at + name.length + (text[at + name.length] === ' ' ? 1 : 0);
      const literal = /"(?:[^"\\]|\\.)*"/y;
      literal.lastIndex = start;
      const found = literal.exec(text)?.[0];
      if (found === undefined || parsed(found) !== value) return;
      const bytes = bufferOf(record);
      const head = Buffer.from(text.slice(0, start));
      const tail = Buffer.from(text.slice(start + found.length));
      // A byte that is no UTF-8 is another one once it was decoded.
      const length = head.length + Buffer.byteLength(found) + tail.length;
      if (length !== bytes.length || !starts(bytes, head) || !ends(bytes, tail)) return;
      before = head;
      behind = tail;
    },
    textOf(record) {
      if (before === null || behind === null || record.length < before.length + behind.length + 2) return null;
      const bytes = bufferOf(record);
      if (!ends(bytes, behind) || !starts(bytes, before)) return null;
      const text = parsed(bytes.toString('utf8', before.length, bytes.length - behind.length));
      if (text !== null) learned = 0;
      return text;
    },
  };
}

function starts(bytes: Buffer, head: Buffer): boolean {
  return bytes.compare(head, 0, head.length, 0, head.length) === 0;
}

function ends(bytes: Buffer, tail: Buffer): boolean {
  return bytes.compare(tail, 0, tail.length, bytes.length - tail.length) === 0;
}

/** A text in which nothing is escaped. */
const plainLiteral = /^"[ !#-[\]-\uffff]*"$/;

/** The text of one literal of JSON; null: it is something else. */
function parsed(literal: string): string | null {
  // Most are, and need no parser.
  if (plainLiteral.test(literal)) return literal.slice(1, -1);
  try {
    const value: unknown = JSON.parse(literal);
    return typeof value === 'string' ? value : null;
  } catch {
    // More than one literal, or a part of one: the record is another one.
    return null;
  }
}
