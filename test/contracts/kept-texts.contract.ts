import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptText, KeptTexts } from '../../src/core/kept.ts';
import type { KeepLimits } from '../../src/storage/kept-texts.ts';

export const hourMs = 3_600_000;
export const keepLimits: KeepLimits = { maxAgeMs: 10 * hourMs, maxTexts: 3, maxBytes: 4_000 };

export const keptText = (id: string, changes: Partial<KeptText> = {}): KeptText => ({
  id,
  owner: 'me',
  isOpen: false,
  text: `text of ${id}`,
  log: null,
  ...changes,
});

/** Kept texts under test, with `keepLimits`, that nobody else uses. */
export interface KeptTextsUnderTest {
  kept: KeptTexts;
  /** Lets time pass. */
  advance(milliseconds: number): Promise<void>;
  dispose(): Promise<void>;
}

/** What `KeptTexts` promises, asked of every implementation. */
export function runKeptTextsContract(name: string, open: () => Promise<KeptTextsUnderTest>): void {
  describe(`kept texts in ${name}`, () => {
    let test: KeptTextsUnderTest;
    let kept: KeptTexts;
    beforeEach(async () => {
      test = await open();
      kept = test.kept;
    });
    afterEach(() => test.dispose());

    it('are there for their owner alone, with their log', async () => {
      await kept.put(keptText('a', { log: 'events' }));
      expect(await kept.get('a', 'me')).toBe('text of a');
      expect(await kept.logOf('a', 'me')).toBe('events');
      expect(await kept.get('a', 'you')).toBeNull();
      expect(await kept.logOf('a', 'you')).toBeNull();
      expect(await kept.remove('a', 'you')).toBe(false);
      expect(await kept.remove('a', 'me')).toBe(true);
      expect(await kept.get('a', 'me')).toBeNull();
      expect(await kept.remove('a', 'me')).toBe(false);
    });

    it('are replaced by one of the same id', async () => {
      await kept.put(keptText('a', { log: 'events' }));
      await kept.put(keptText('a', { text: 'new' }));
      expect(await kept.get('a', 'me')).toBe('new');
      expect(await kept.logOf('a', 'me')).toBeNull();
    });

    it('go when they were not read for long', async () => {
      await kept.put(keptText('a'));
      await kept.put(keptText('b'));
      await test.advance(6 * hourMs);
      expect(await kept.get('a', 'me')).not.toBeNull();
      await test.advance(6 * hourMs);
      expect(await kept.get('b', 'me')).toBeNull();
      expect(await kept.get('a', 'me')).not.toBeNull();
    });

    it('make room: the longest unread ones go first, open ones never', async () => {
      for (const [index, id] of ['open', 'b', 'c', 'd'].entries()) {
        await kept.put(keptText(id, { isOpen: index === 0 }));
        await test.advance(hourMs);
      }
      const there: string[] = [];
      for (const id of ['open', 'b', 'c', 'd']) if ((await kept.get(id, 'me')) !== null) there.push(id);
      expect(there).toEqual(['open', 'c', 'd']);
      await test.advance(hourMs);
      for (const id of ['large', 'l2', 'l3']) await kept.put(keptText(id, { text: 'x'.repeat(1_000) }));
      expect(await kept.get('open', 'me')).not.toBeNull();
      expect(await kept.get('c', 'me')).toBeNull();
    });

    it('keep to the size of all together, and refuse one that is out of proportion', async () => {
      await expect(kept.put(keptText('huge', { text: 'x'.repeat(1_001) }))).rejects.toMatchObject({
        code: 'storage_unavailable',
      });
      await kept.put(keptText('a', { text: 'é'.repeat(500) }));
      expect(await kept.get('a', 'me')).toHaveLength(500);
    });
  });
}
