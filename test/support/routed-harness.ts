import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { providerFactories } from '../../src/providers/factories.ts';
import { cloudOf, createHarness, type Harness } from '../http/harness.ts';

/** The HTTP layer before real providers, each of its section; `x-failover-chain: all` asks them in their order, once each. */
export async function createRoutedHarness(sections: Readonly<Record<string, object>>): Promise<Harness> {
  const configured = cloudOf({
    global: { max_retries: 0 },
    providers: sections,
    failover_chains: { all: Object.keys(sections) },
  });
  const log = createLogger('silent');
  const providers = [...configured.providers.values()].map((config) =>
    providerFactories[config.type]({ config, clock: systemClock, log }),
  );
  return createHarness({}, {}, providers, configured);
}

/** Header of a request that goes to all of them. */
export const toAll = { 'x-failover-chain': 'all' };
