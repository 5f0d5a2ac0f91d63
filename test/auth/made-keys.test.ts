import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/auth/keys.ts';
import { createMadeKeys, type KeyWish } from '../../src/auth/made-keys.ts';
import { openSharedKeys } from '../../src/auth/shared-keys.ts';
import { allRights } from '../../src/core/call.ts';
import { describeInDatabases, type TestDatabase } from '../support/databases.ts';
import { manualClock } from '../support/manual-clock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const wish: KeyWish = { ...allRights, name: 'kitchen', expiresAt: null };

function open(warn: (error: unknown) => void = (error) => expect.unreachable(String(error))) {
  const clock = manualClock(new Date('2026-06-01T00:00:00Z'));
  const path = join(folder, 'data', 'keys.json');
  return { clock, path, keys: createMadeKeys({ path, clock, warn }) };
}

describe('keys that are made here', () => {
  it('are given out once and kept as digests that only the server may read', async () => {
    const { keys, path } = open();
    expect(keys.exist()).toBe(false);
    const { key, made } = await keys.create(wish);
    expect(key).toMatch(/^sk-hearth-[\w-]{43}$/);
    expect(made).toMatchObject({ name: 'kitchen', digest: digestOf(key), ending: key.slice(-4), revokedAt: null });
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(digestOf(key));
    expect(text).not.toContain(key);
    expect(statSync(path).mode & 0o077).toBe(0);
    expect(keys.find(digestOf(key))).toEqual(made);
  });

  it('outlive the process with all that they may', async () => {
    const everything: KeyWish = {
      name: 'all',
      scopes: ['inference'],
      expiresAt: new Date('2027-01-01T00:00:00Z'),
      models: ['qwen', 'anthropic/claude'],
      mayUseCloud: false,
      budget: { daily: 12_345_678_901_234_567_890n, weekly: null, monthly: 1n },
      rateLimits: { requestsPerMinute: 5, tokensPerMinute: null, requestsPerDay: 100 },
    };
    const { made } = await open().keys.create(everything);
    expect(made).toMatchObject(everything);
    expect(open().keys.list()).toEqual([made]);
  });

  it('are still asked for when the last one was revoked', async () => {
    const { keys, clock } = open();
    const { key, made } = await keys.create(wish);
    clock.advance(5_000);
    expect(await keys.revoke('kitchen')).toEqual({ ...made, revokedAt: new Date('2026-06-01T00:00:05Z') });
    expect(keys.find(digestOf(key))!.revokedAt).not.toBeNull();
    expect(open().keys.exist()).toBe(true);
    await expect(keys.revoke('kitchen')).rejects.toMatchObject({ code: 'not_found' });
    // Its name is free again; by its id the old one stays what it is.
    await keys.create(wish);
    expect((await keys.revoke(made.id)).revokedAt).toEqual(new Date('2026-06-01T00:00:05Z'));
  });

  it('have names of their own, also when many are made at once', async () => {
    const { keys } = open();
    const results = await Promise.allSettled([
      keys.create(wish),
      keys.create(wish),
      keys.create({ ...wish, name: 'b' }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(keys.list().map(({ name }) => name)).toEqual(['kitchen', 'b']);
  });

  it('are seen when another process made or revoked them', async () => {
    const [server, command] = [open(), open()];
    const { key } = await command.keys.create(wish);
    server.clock.advance(1_000);
    expect(server.keys.find(digestOf(key))?.name).toBe('kitchen');
    await server.keys.create({ ...wish, name: 'other' });
    expect((await command.keys.revoke('other')).name).toBe('other');
    expect(command.keys.list()).toHaveLength(2);
  });

  it('refuse to be read by half: whoever cannot read them lets nobody in', async () => {
    const { keys, path } = open();
    await keys.create(wish);
    writeFileSync(path, '{"version":1,"keys":[{"id":"key_1"}]}');
    expect(() => open()).toThrow(/keys\.json: the keys in this file cannot be read/);
  });

  it('count on as they were when their file breaks while the server runs', async () => {
    const warnings: unknown[] = [];
    const { keys, path, clock } = open((error) => warnings.push(error));
    const { key } = await keys.create(wish);
    writeFileSync(path, 'broken');
    clock.advance(1_000);
    expect(keys.find(digestOf(key))?.name).toBe('kitchen');
    expect(warnings).toHaveLength(1);
    rmSync(path);
    clock.advance(1_000);
    expect(keys.exist()).toBe(true);
    expect(keys.find(digestOf(key))?.name).toBe('kitchen');
  });

  it('are not given out when they cannot be kept', async () => {
    const { keys } = open();
    writeFileSync(join(folder, 'data'), 'a file where the folder should be');
    await expect(keys.create(wish)).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(keys.list()).toEqual([]);
  });
});

describeInDatabases('keys that replicas share', (openDatabase) => {
  let test: TestDatabase;
  beforeEach(async () => {
    test = await openDatabase();
  });
  afterEach(() => test.dispose());

  const replica = async () => {
    const clock = manualClock(new Date('2026-06-01T00:00:00Z'));
    const filePath = join(folder, 'keys.json');
    const database = await test.open();
    const warnings: unknown[] = [];
    const keys = await openSharedKeys({ database, filePath, clock, warn: (error) => warnings.push(error) });
    /** Lets it look for changes until it has seen them. */
    const look = (isSeen: () => boolean) =>
      expect
        .poll(() => {
          clock.advance(1_000);
          return isSeen();
        })
        .toBe(true);
    return { keys, clock, look, warnings, database };
  };

  it('made by one are known to all, with all that they may, and opened by none once they are revoked', async () => {
    const everything: KeyWish = {
      name: 'all',
      scopes: ['inference'],
      expiresAt: new Date('2027-01-01T00:00:00Z'),
      models: ['qwen', 'anthropic/claude'],
      mayUseCloud: false,
      budget: { daily: 12_345_678_901_234_567_890n, weekly: null, monthly: 1n },
      rateLimits: { requestsPerMinute: 5, tokensPerMinute: null, requestsPerDay: 100 },
    };
    const [one, other] = [await replica(), await replica()];
    expect(other.keys.exist()).toBe(false);
    const { key, made } = await one.keys.create(everything);
    expect(made).toMatchObject(everything);
    expect(one.keys.find(digestOf(key))).toEqual(made);
    await other.look(() => other.keys.exist());
    expect(other.keys.find(digestOf(key))).toEqual(made);
    const revoked = await other.keys.revoke('all');
    expect(revoked.revokedAt).not.toBeNull();
    await one.look(() => one.keys.find(digestOf(key))!.revokedAt !== null);
    expect((await replica()).keys.list()).toEqual([revoked]);
    await expect(one.keys.revoke('all')).rejects.toMatchObject({ code: 'not_found' });
    const rows = await one.database.tables.selectFrom('made_keys').selectAll().execute();
    expect(JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? `${value}` : value))).not.toContain(key);
  });

  it('have names of their own, also when several replicas make them at once', async () => {
    const replicas = [await replica(), await replica(), await replica()];
    const results = await Promise.allSettled(replicas.map(({ keys }) => keys.create(wish)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'invalid_request' });
  });

  it('count on as they were while the database is away, and none is made or revoked', async () => {
    const { keys, clock, warnings, database } = await replica();
    const { key } = await keys.create(wish);
    await database.close();
    clock.advance(1_000);
    await expect.poll(() => warnings.length).toBeGreaterThan(0);
    expect(keys.find(digestOf(key))?.name).toBe('kitchen');
    await expect(keys.create({ ...wish, name: 'b' })).rejects.toMatchObject({ code: 'storage_unavailable' });
    await expect(keys.revoke('kitchen')).rejects.toMatchObject({ code: 'storage_unavailable' });
  });

  it('take over those of a file from before, once', async () => {
    const path = join(folder, 'keys.json');
    const ofFile = createMadeKeys({ path, clock: manualClock(), warn: () => {} });
    const { key } = await ofFile.create(wish);
    const { keys } = await replica();
    expect(keys.find(digestOf(key))?.name).toBe('kitchen');
    await keys.revoke('kitchen');
    // What the file says of it is older.
    expect((await replica()).keys.find(digestOf(key))!.revokedAt).not.toBeNull();
  });
});
