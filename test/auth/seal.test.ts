import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSeal, readSealKey, sealPrefix } from '../../src/auth/seal.ts';

const key = Buffer.alloc(32, 1);

describe('a sealed text', () => {
  const { seal, open } = createSeal(key);

  it('opens for the same purpose and owner only, and shows nothing of what it holds', () => {
    const sealed = seal('secret thought é', 'reasoning', 'me');
    expect(sealed.startsWith(sealPrefix)).toBe(true);
    expect(sealed).toMatch(/^[\w.-]+$/);
    expect(Buffer.from(sealed.slice(sealPrefix.length), 'base64url').toString('latin1')).not.toContain('secret');
    expect(open(sealed, 'reasoning', 'me')).toBe('secret thought é');
    expect(open(sealed, 'compaction', 'me')).toBeNull();
    expect(open(sealed, 'reasoning', 'you')).toBeNull();
    expect(createSeal(Buffer.alloc(32, 2)).open(sealed, 'reasoning', 'me')).toBeNull();
  });

  it('is never the same twice', () => {
    expect(seal('a', 'p', 'me')).not.toBe(seal('a', 'p', 'me'));
  });

  it('that was changed anywhere, cut, or made up does not open', () => {
    const sealed = seal('secret', 'reasoning', 'me');
    const bytes = Buffer.from(sealed.slice(sealPrefix.length), 'base64url');
    for (let index = 0; index < bytes.length; index++) {
      const forged = Buffer.from(bytes);
      forged[index]! ^= 1;
      expect(open(sealPrefix + forged.toString('base64url'), 'reasoning', 'me')).toBeNull();
      expect(open(sealPrefix + bytes.subarray(0, index).toString('base64url'), 'reasoning', 'me')).toBeNull();
    }
    for (const other of ['', sealPrefix, 'gAAAAABo', `${sealPrefix}☃`, bytes.toString('base64url')]) {
      expect(open(other, 'reasoning', 'me')).toBeNull();
    }
  });
});

describe('the key', () => {
  const folder = () => {
    const made = mkdtempSync(join(tmpdir(), 'hearth-seal-'));
    onTestFinished(() => rmSync(made, { recursive: true, force: true }));
    return made;
  };
  const fail = (error: unknown) => {
    throw error;
  };

  it('is made once and stays, readable by its owner alone', () => {
    const path = join(folder(), 'seal.key');
    const first = readSealKey(path, fail);
    expect(first).toHaveLength(32);
    expect(readSealKey(path, fail)).toEqual(first);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is made anew where the file holds none', () => {
    const path = join(folder(), 'seal.key');
    writeFileSync(path, 'nothing');
    expect(readSealKey(path, fail)).toHaveLength(32);
    expect(readFileSync(path, 'utf8')).not.toBe('nothing');
  });

  it('is good for this run where it cannot be kept, which is said', () => {
    const warnings: unknown[] = [];
    const made = readSealKey(join(folder(), 'none', 'seal.key'), (error) => warnings.push(error));
    expect(made).toHaveLength(32);
    expect(warnings).toHaveLength(1);
  });
});
