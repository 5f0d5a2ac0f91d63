import { sameValues } from '../config/differences.ts';
import type { CloudConfig, ProviderConfig, ProviderType } from '../config/providers.ts';
import { localProviderId, type RoutingConfig } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import type { Provider } from '../core/provider.ts';
import type { Engine } from '../engine/engine.ts';
import type { Logger } from '../observe/logger.ts';
import { hidingSecrets } from './hide-secrets.ts';
import { createLocalProvider } from './local/local.ts';

/** What a provider of the cloud is made of. */
export interface CloudProviderDeps {
  config: ProviderConfig;
  clock: Clock;
  log: Logger;
  /** Id of this process, for other servers of Hearth; left out: they are told none. */
  instance?: string;
}

/** How providers of each type are made; a new type is one line here. */
export type ProviderFactories = Readonly<Record<ProviderType, (deps: CloudProviderDeps) => Provider>>;

/** Every provider of the server. */
export interface Providers {
  /** Those that may be asked now, by id: this machine first, then those of the file that are on, in its order. */
  current(): ReadonlyMap<string, Provider>;
  /** The same with those that are off. */
  all(): ReadonlyMap<string, Provider>;
  /**
   * Takes another configuration. A provider that it does not change stays as it is; the others are built anew, and requests
   * that run keep the old ones to their end. Returns ids of those that were built anew, or are no more. Throws, and changes nothing,
   * when one cannot be built.
   */
  apply(config: CloudConfig): string[];
  /**
   * Switches a provider on or off by hand. That outlives `apply`, until it is switched back or the configuration says another
   * thing of whether this one is on. Throws a `RangeError` for one that is not configured.
   */
  enable(id: string, enabled: boolean): void;
  /** Whether it is on or off by hand, against the configuration. */
  isSwitched(id: string): boolean;
}

export function createProviders(deps: {
  engine: Engine;
  cloud: CloudConfig;
  clock: Clock;
  log: Logger;
  factories: ProviderFactories;
  instance?: string;
}): Providers {
  const { clock, log, factories, instance } = deps;
  const local = createLocalProvider({ engine: deps.engine });
  let built = new Map<string, { config: ProviderConfig; provider: Provider }>();
  /** What the configuration says of whether each is on. */
  let configured = new Map<string, boolean>();
  /** Those that are the other way round by hand. */
  const switched = new Set<string>();
  let current: ReadonlyMap<string, Provider> = new Map();

  const isOn = (id: string) => (configured.get(id) ?? false) !== switched.has(id);
  const show = () => {
    const on = [...built].filter(([id]) => isOn(id)).map(([id, { provider }]) => [id, provider] as const);
    current = new Map([[localProviderId, local], ...on]);
  };
  const providers: Providers = {
    current: () => current,
    all: () => new Map([[localProviderId, local], ...[...built].map(([id, { provider }]) => [id, provider] as const)]),
    apply({ providers: configs }) {
      const next = [...configs].map(([id, given]) => {
        const before = built.get(id);
        // Whether it is on is known here alone: it may be switched by hand, and is the same provider then.
        const config = { ...given, enabled: true };
        const stays = before !== undefined && sameValues(before.config, config);
        if (stays) return [id, before] as const;
        const provider = factories[config.type]({ config, clock, log, ...(instance !== undefined && { instance }) });
        return [id, { config, provider: hidingSecrets(provider, config) }] as const;
      });
      const retired = [...built.values()].filter((before) => !next.some(([, one]) => one === before));
      built = new Map(next);
      const said = new Map([...configs.values()].map((config) => [config.id, config.enabled]));
      for (const id of switched) if (said.get(id) !== configured.get(id)) switched.delete(id);
      configured = said;
      show();
      for (const { provider } of retired) provider.retire?.();
      return retired.map(({ config }) => config.id);
    },
    enable(id, wanted) {
      if (!built.has(id)) throw new RangeError(`There is no provider called "${id}".`);
      if (wanted === configured.get(id)) switched.delete(id);
      else switched.add(id);
      show();
    },
    isSwitched: (id) => switched.has(id),
  };
  providers.apply(deps.cloud);
  return providers;
}

/** What of the configuration decides where requests go. */
export function routingOf(cloud: CloudConfig): RoutingConfig {
  const own = [...cloud.providers.values()].flatMap(({ id, models }) => {
    const model = models.find(({ isDefault }) => isDefault) ?? models[0];
    return model === undefined ? [] : [[id, model.id] as const];
  });
  const { defaultProvider, defaultModel } = cloud;
  return {
    defaultProvider: defaultProvider ?? localProviderId,
    // One that is off in the file may be switched on while the server runs.
    cloudAllowed: cloud.cloudAllowed && cloud.providers.size > 0,
    chains: Object.fromEntries(Object.entries(cloud.chains).map(([name, { providers }]) => [name, providers])),
    defaultModels: {
      [localProviderId]: 'default',
      ...Object.fromEntries(own),
      ...(defaultProvider !== null && defaultModel !== null && { [defaultProvider]: defaultModel }),
    },
    retries: cloud.retries,
    requestTimeoutMs: cloud.requestTimeoutMs,
  };
}
