import { describe, expect, it } from 'vitest';
import { meterRequest } from '../../src/engine/metering.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { manualClock } from '../support/manual-clock.ts';

function setup() {
  const clock = manualClock();
  const metrics = createMetrics('test');
  const meter = meterRequest({ clock, metrics });
  meter.resolved('m');
  meter.leased(0);
  return {
    clock,
    meter,
    /** The sum and the count of a histogram, in its own unit. */
    async figures(name: string) {
      const text = await metrics.render();
      return ['sum', 'count'].map((part) =>
        Number(new RegExp(`^${name}_${part}\\{model="m"\\} (\\S+)$`, 'm').exec(text)?.[1]),
      );
    },
  };
}

describe('the times of a request', () => {
  it('are those of the steps that made its tokens, however late and together they are told', async () => {
    const { clock, meter, figures } = setup();
    clock.advance(100);
    meter.token(5_000);
    clock.advance(40);
    for (const stepEndedMs of [5_008, 5_018, 5_030]) meter.token(stepEndedMs);
    const [firstSum, firstCount] = await figures('hearth_time_to_first_token_seconds');
    expect([firstSum, firstCount]).toEqual([0.1, 1]);
    const [sum, count] = await figures('hearth_inter_token_seconds');
    expect(sum).toBeCloseTo(0.03);
    expect(count).toBe(3);
  });

  it('do not mix the clocks of two workers when the first one died', async () => {
    const { meter, figures } = setup();
    meter.token(9_000);
    meter.leased(0);
    meter.token(20);
    meter.token(32);
    expect((await figures('hearth_time_to_first_token_seconds'))[1]).toBe(1);
    const [sum, count] = await figures('hearth_inter_token_seconds');
    expect(sum).toBeCloseTo(0.012);
    expect(count).toBe(1);
  });
});
