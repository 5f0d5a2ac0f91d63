import type { CachePointBlock } from '@aws-sdk/client-bedrock-runtime';
import type { CacheMark } from '../../core/content.ts';
import type { Warning } from '../../core/events.ts';
import type { CapabilityRow } from './capability-table.ts';

/** Something of a prompt that a cache point may follow. */
export interface Markable {
  /** Path in the core's request. */
  path: string;
  place: 'tools' | 'system' | 'messages';
  mark: CacheMark | null;
  /** Whether a cache point can stand behind it; reasoning has none. */
  mayBeMarked: boolean;
}

/**
 * Which of the marks become cache points, for a model whose row has `cache`. `pieces`: the prompt in its order: tools,
 * system, messages. Of too many marks the last ones count, since each covers what is before it; a point of an hour does
 * not follow one of five minutes, which Claude refuses.
 */
export function planCachePoints(
  pieces: readonly Markable[],
  cache: CapabilityRow['cache'],
): { points: ReadonlyMap<Markable, CachePointBlock>; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const points = new Map<Markable, CachePointBlock>();
  const drop = ({ path }: Markable, why: string) => {
    warnings.push({ field: `${path}.cacheMark`, message: why });
  };
  const marked = pieces.filter(({ mark }) => mark !== null);
  const placed = marked.filter((piece) => {
    if (cache === null) drop(piece, 'This model takes no cache points.');
    else if (!cache.places.includes(piece.place))
      drop(piece, `This model takes no cache points in its ${piece.place}.`);
    else if (!piece.mayBeMarked) drop(piece, 'No cache point can follow reasoning.');
    else return true;
    return false;
  });
  const most = cache?.most ?? 0;
  for (const piece of placed.slice(0, Math.max(0, placed.length - most))) {
    drop(piece, `This model takes ${most} cache points, and later ones cover this.`);
  }
  let hoursMayFollow = cache?.hour ?? false;
  for (const piece of placed.slice(-most)) {
    const isHour = piece.mark!.ttlSeconds === 3600;
    if (isHour && !hoursMayFollow) drop(piece, 'Kept for five minutes instead of an hour.');
    if (!isHour) hoursMayFollow = false;
    // Five minutes are what every model gives without being told, and not all take to be told.
    points.set(piece, { type: 'default', ...(isHour && hoursMayFollow && { ttl: '1h' }) });
  }
  return { points, warnings };
}
