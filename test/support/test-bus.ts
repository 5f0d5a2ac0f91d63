import { type AppEvent, type Bus, createBus } from '../../src/observe/bus.ts';
import { recordEvents } from '../../src/observe/metric-events.ts';
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts';

/** A bus whose events are kept, and counted as the server counts them. A listener that fails fails the test. */
export function testBus(): { bus: Bus; metrics: Metrics; events: AppEvent[] } {
  const bus = createBus((error) => {
    throw error;
  });
  const metrics = createMetrics('test');
  const events: AppEvent[] = [];
  recordEvents(bus, metrics);
  bus.subscribe((event) => events.push(event));
  return { bus, metrics, events };
}
