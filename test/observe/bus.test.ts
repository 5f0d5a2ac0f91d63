import { describe, expect, it } from 'vitest';
import { type AppEvent, createBus } from '../../src/observe/bus.ts';

const event: AppEvent = { type: 'memory-level', level: 'hold' };

describe('the bus', () => {
  it('hands an event to every listener in the order in which they came', () => {
    const bus = createBus(() => {});
    const seen: string[] = [];
    bus.subscribe(({ type }) => seen.push(`first ${type}`));
    bus.subscribe(({ type }) => seen.push(`second ${type}`));
    bus.publish(event);
    expect(seen).toEqual(['first memory-level', 'second memory-level']);
  });

  it('tells of a listener that throws, and goes on to the next', () => {
    const errors: unknown[] = [];
    const bus = createBus((error, of) => errors.push([error, of]));
    const seen: AppEvent[] = [];
    const thrown = new Error('of no use');
    bus.subscribe(() => {
      throw thrown;
    });
    bus.subscribe((found) => seen.push(found));
    bus.publish(event);
    expect(errors).toEqual([[thrown, event]]);
    expect(seen).toEqual([event]);
  });

  it('ends one subscription of a function and leaves its other one', () => {
    const bus = createBus(() => {});
    let calls = 0;
    const listener = () => void calls++;
    const end = bus.subscribe(listener);
    bus.subscribe(listener);
    end();
    end();
    bus.publish(event);
    expect(calls).toBe(1);
  });
});
