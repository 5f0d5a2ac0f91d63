import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalKey, readLocalKey } from '../../src/files/local-key.ts';

describe('the key for commands of this machine', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-local-key-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is there for the port of the server, until it is withdrawn', () => {
    const local = createLocalKey(folder);
    expect(readLocalKey(folder, 8_000)).toBeNull();
    local.publish(8_000);
    expect(readLocalKey(folder, 8_000)).toBe(local.key);
    expect(readLocalKey(folder, 8_001)).toBeNull();
    local.withdraw();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is another one with each start', () => {
    expect(createLocalKey(folder).key).not.toBe(createLocalKey(folder).key);
  });

  it.skipIf(process.platform === 'win32')('is for the eyes of its owner alone', () => {
    createLocalKey(folder).publish(8_000);
    expect(statSync(join(folder, 'local-key.json')).mode & 0o777).toBe(0o600);
  });

  it.each(['', '{', '{"port":"8000","key":"x"}', '{"port":8000,"key":""}'])('is none where the file has %j', (text) => {
    writeFileSync(join(folder, 'local-key.json'), text);
    expect(readLocalKey(folder, 8_000)).toBeNull();
  });
});
