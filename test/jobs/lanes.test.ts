import { describe, expect, it } from 'vitest';
import { anonymous, type RoutingWish } from '../../src/core/call.ts';
import { lanesBy } from '../../src/jobs/lanes.ts';

describe('what a batch and one of its requests say of the cloud', () => {
  it.each<[RoutingWish['cloud'] | undefined, RoutingWish['cloud'], RoutingWish['cloud']]>([
    [undefined, null, null],
    [undefined, 'allow', 'allow'],
    ['allow', null, 'allow'],
    ['allow', 'never', 'never'],
    ['never', 'allow', 'never'],
    ['allow', 'require', 'require'],
    ['require', 'allow', 'require'],
  ])('is together, where they say %s and %s: %s', (ofBatch, ofItem, together) => {
    const wishes: RoutingWish[] = [];
    const laneOf = lanesBy({
      laneOf(_model, wish) {
        wishes.push(wish);
        return 'here';
      },
    });
    const headers: Record<string, string> = ofBatch ? { 'x-cloud': ofBatch } : {};
    laneOf({ owner: anonymous, headers }, { model: 'm', cloud: ofItem });
    expect(wishes).toEqual([{ provider: null, chain: null, cloud: together }]);
  });
});
