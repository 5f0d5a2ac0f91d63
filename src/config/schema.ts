import { toCloudConfig } from './cloud.ts';
import type { Problems } from './problems.ts';
import { secret } from './secret.ts';
import type { MergedSettings } from './source.ts';

/** Everything an operator can set, after flags, environment, file and defaults are merged. */
export type Config = ReturnType<typeof toConfig>;

/**
 * The settings by the server's own names: units are part of a name, pulls have a section of their own, and null says
 * that the server decides. What each is good for stands in `settings.ts`. `problems`: takes what does not fit together, which is left out.
 */
export function toConfig(settings: MergedSettings, problems: Problems) {
  const { server, models, engine, files, jobs, data_folder, storage, log, cloud } = settings;
  return {
    server: {
      /** Address to bind, without brackets. Anything but a loopback address needs `apiKeys` or `allowAnonymous`. */
      host: server.host,
      /** 0: any free port. */
      port: server.port,
      /** Base address that commands reach the server at, elsewhere or through a proxy; null: `host` and `port`. */
      url: server.url,
      /** Host names (beside loopback names and IP addresses) that a `Host` header may carry. */
      allowedHosts: server.allowed_hosts,
      /** Origins that browsers may call from (CORS, WebSocket), as `isListedOrigin` reads them; `*` allows all. */
      origins: server.origins,
      /** Clients send one of them as `Authorization: Bearer` or `X-API-Key`; empty: no key is asked for. */
      apiKeys: server.api_key ?? [],
      allowAnonymous: server.allow_anonymous,
      /** Reverse proxies whose `X-Forwarded-For` is believed: addresses and networks. */
      trustedProxies: server.trusted_proxies,
      /** Volatile lines of coding agents are left out of prompts. */
      dropAttribution: server.drop_attribution,
      /** Largest request body in bytes. */
      bodyLimitBytes: server.body_limit,
      /** How long running streams may go on after SIGTERM. */
      drainMs: server.drain,
    },
    models: {
      /** Folder with GGUF files, absolute. */
      folder: models.folder,
      /** Model behind the alias `default`; null: the built-in model. */
      default: models.default,
      /** Whether the model that comes with Hearth is there. */
      builtin: models.builtin,
      /** Whether symbolic links may lead out of the folder. */
      followLinks: models.follow_links,
      /** Alias to model name. */
      aliases: models.aliases,
      /** Idle time before an unload; Infinity: never; 0: at once. */
      keepAliveMs: models.keep_alive,
      /** The same for single models, by name, alias or `name:quantization`. */
      keepAliveMsOf: models.keep_alives,
      /** Load again after a restart what was loaded. */
      restore: models.restore,
      /** Models that stay once they are loaded, by such names. */
      pinned: models.pinned,
      /** Context per slot in tokens; null: planned from the model and the memory. */
      contextTokens: models.context_length,
      /** Slots per model; null: planned from the memory. */
      parallel: models.parallel,
      /** Requests that may wait per model. */
      maxQueue: models.max_queue,
      /** Room on disk for states of prompts, per model; 0: none are kept. */
      prefixVaultBytes: models.prefix_vault,
      /** Prompts that are read faster than this are not kept. */
      prefixVaultMinMs: models.prefix_vault_min,
      /** Texts that prompts begin with, kept from the first time on; `model`: a name or alias, null for all models. */
      pinnedPrompts: models.pinned_prompts,
      /** Whether requests with different API keys may use what was computed for each other. */
      prefixSharing: models.prefix_sharing,
      /** Longest time a load may take. */
      loadTimeoutMs: models.load_timeout,
    },
    /** Models from a hub and from elsewhere on this machine; the file has these settings under `models`. */
    pulls: {
      /** Base address of the hub. */
      hub: models.hub,
      /** Token that is sent to the hub, and to no other host; null: none. */
      hubToken: models.hub_token,
      /** Proxy towards the hub, with its scheme; null: none. Never shown: it may hold a password. */
      hubProxy: models.hub_proxy,
      /** Hosts that are reached without it. */
      hubNoProxy: models.hub_no_proxy,
      /** Hosts beside the hub's that it may redirect to, with everything under them. */
      hosts: models.pull_hosts,
      /** Whether a hub may be on this machine or in its networks. */
      allowPrivate: models.pull_allow_private,
      /** All pulls together; null: as fast as it comes. */
      bytesPerSecond: models.pull_rate,
      /** Hours of the day in which pulls run, in minutes since midnight, local time; null: always. */
      hours: models.pull_window,
      /** Space on disk that pulls and imports leave free. */
      reserveBytes: models.pull_reserve,
      /** Continue at the start what was not finished. */
      resume: models.pull_resume,
      /** Folders that clients may import files from, absolute. */
      importFolders: models.import_folders,
    },
    engine: {
      /** Threads of decoding workers in all; null: from quota, affinity and cores. */
      threads: engine.threads,
      /** Measure models in idle moments, and use what was measured. */
      calibrate: engine.calibrate,
      gpu: engine.gpu,
      /** Whether tokens are guessed ahead where that pays. */
      drafts: engine.drafts,
      /** Memory left to others, taken off the budget; null: as much as suits the machine. */
      memoryReserveBytes: engine.memory_reserve,
      /** Upper bound of the budget; null: what the machine or container has. */
      memoryLimitBytes: engine.memory_limit,
    },
    /** What clients send to be kept. */
    files: {
      /** Most bytes of one. */
      maxSizeBytes: files.max_size,
      /** Most bytes of all together. */
      maxTotalBytes: files.max_total,
    },
    /** Batches of requests. */
    jobs: {
      /** Most of their requests at a time; 0: none is begun. */
      maxSlots: jobs.max_slots,
      /** Hours of the day in which they are begun, in minutes since midnight, local time; null: always. */
      hours: jobs.window,
      /** Most models of one window; null: as many as are asked for. */
      modelsPerWindow: jobs.models_per_window,
      /** How long results can be read after the end of their batch. */
      keepMs: jobs.keep,
      /** Largest request body that makes a batch, in bytes. */
      bodyLimitBytes: jobs.body_limit,
      /** Hotter than this nothing is begun; null: however hot it is. */
      pauseAboveCelsius: jobs.pause_above_celsius,
      /** Whether they are begun on battery. */
      runOnBattery: jobs.on_battery === 'run',
      /** UPS that is asked whether there is power; null: none. */
      ups: jobs.ups,
      /** Hosts that may be told of the end of a batch; empty: there are no webhooks. */
      webhookHosts: jobs.webhook_hosts,
      /** What webhooks are signed with; null: there are none. */
      webhookSecret: jobs.webhook_secret === null ? null : secret(jobs.webhook_secret),
      /** Who is told of batches that name nobody; null: nobody is. */
      webhookUrl: jobs.webhook_url,
      /** Whether they may be on this machine or in its networks. */
      webhookAllowPrivate: jobs.webhook_allow_private,
    },
    /** Folder for state, absolute. */
    dataFolder: data_folder,
    storage: {
      /** Of a database of PostgreSQL that replicas share; null: a file in the data folder. */
      url: storage.url === null ? null : secret(storage.url),
      /** What sealed texts are sealed with; null: a key of the data folder. */
      sealKey: storage.seal_key === null ? null : secret(storage.seal_key),
    },
    log: { level: log.level, format: log.format },
    /** Other sources of answers, and who may use how much of them. */
    cloud: toCloudConfig(cloud, problems),
  };
}
