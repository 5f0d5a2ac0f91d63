import { describe, expect, it } from 'vitest';
import {
  type EntryRecord,
  entryId,
  type Fingerprint,
  fingerprintKey,
  formatRecord,
  isFingerprintKey,
  maxRecordBytes,
  parseRecord,
} from '../../../../src/worker/prefix/vault/entry-record.ts';
import { fingerprint, range } from './support.ts';

const key = fingerprintKey(fingerprint);
const record: EntryRecord = {
  owner: 'a',
  tokens: Uint32Array.from([0, 1, 4_294_967_295, 151_643]),
  stateBytes: 1000,
  sha256: 'f'.repeat(64),
  prefillMs: 2500.5,
  pinned: false,
};
const id = entryId(key, record.owner, record.tokens);
const text = formatRecord(key, record);

describe('a fingerprint', () => {
  it.each<Partial<Fingerprint>>([
    { modelHash: 'abd' },
    { engineVersion: '3.22.2/v0.5.0' },
    { slots: 3 },
    { contextTokens: 2048 },
    { kvTypes: 'q8_0/q8_0' },
    { flashAttention: false },
    { slidingWindow: 512 },
  ])('with %j has a folder of its own', (change) => {
    const other = fingerprintKey({ ...fingerprint, ...change });
    expect(other).not.toBe(key);
    expect(isFingerprintKey(other)).toBe(true);
  });

  it('does not depend on the order in which its fields are written', () => {
    const reversed = Object.fromEntries(Object.entries(fingerprint).toReversed()) as unknown as Fingerprint;
    expect(fingerprintKey(reversed)).toBe(key);
  });
});

describe('the name of an entry', () => {
  it('differs by fingerprint, owner and tokens, also where they could run into one another', () => {
    const { tokens } = record;
    const names = [
      entryId(key, 'a', tokens),
      entryId(`${key}a`, '', tokens),
      entryId(key, 'b', tokens),
      entryId(key, 'a\n', tokens),
      entryId(key, 'a', tokens.slice(1)),
      entryId(key, 'a', tokens.toReversed()),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a record', () => {
  it('is read back as it was written', () => {
    expect(parseRecord(text, key, id)).toEqual(record);
  });

  it('is refused under another name or fingerprint', () => {
    expect(parseRecord(text, key, entryId(key, 'b', record.tokens))).toBeNull();
    expect(parseRecord(text, fingerprintKey({ ...fingerprint, slots: 1 }), id)).toBeNull();
  });

  it.each([
    ['empty', ''],
    ['no object', '[1]'],
    ['null', 'null'],
    ['without tokens', text.replace('tokens', 'token5')],
    ['with tokens that are no numbers of 32 bits', JSON.stringify({ ...JSON.parse(text), tokens: 'AAAA' })],
    ['with a size of nothing', text.replace('"stateBytes":1000', '"stateBytes":0')],
    ['with a cost that is no number', text.replace('2500.5', '"2500"')],
    ['with a cost below zero', text.replace('2500.5', '-1')],
    ['with a pin that is no yes or no', text.replace('"pinned":false', '"pinned":0')],
  ])('is refused when it is %s', (_, damaged) => {
    expect(damaged).not.toBe(text);
    expect(parseRecord(damaged, key, id)).toBeNull();
  });

  it('never gives other tokens or another owner, whichever byte of it is changed or wherever it ends', () => {
    const raw = Buffer.from(text);
    for (let position = 0; position < raw.length; position++) {
      for (const bit of [1, 2, 16, 128]) {
        const damaged = Buffer.from(raw);
        damaged[position]! ^= bit;
        const found = parseRecord(damaged.toString('utf8'), key, id);
        if (found === null) continue;
        expect(found.owner).toBe(record.owner);
        expect(found.tokens).toEqual(record.tokens);
      }
      // Without the line feed at its end it is still all there.
      if (position < raw.length - 1) expect(parseRecord(text.slice(0, position), key, id)).toBeNull();
    }
  });

  it('of a full context stays below the size that is still read', () => {
    const tokens = Uint32Array.from(range(4_294_000_000, 4096));
    const largest = formatRecord(key, { ...record, owner: 'f'.repeat(64), tokens });
    expect(largest.length).toBeLessThan(maxRecordBytes(4096));
  });
});
