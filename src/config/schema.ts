/** Everything an operator can set, after flags, environment, file and defaults are merged. */
export interface Config {
  server: {
    /** Address to bind. Anything but a loopback address needs `apiKeys` or `allowAnonymous`. */
    host: string;
    /** 0: any free port. */
    port: number;
    /** Host names (beside loopback names and IP addresses) that a `Host` header may carry. */
    allowedHosts: string[];
    /** Origins that browsers may call from (CORS, WebSocket); `*` allows all. */
    origins: string[];
    /** Clients send one of them as `Authorization: Bearer` or `X-API-Key`; empty: no key is asked for. */
    apiKeys: string[];
    allowAnonymous: boolean;
    /** Largest request body in bytes. */
    bodyLimitBytes: number;
    /** How long running streams may go on after SIGTERM. */
    drainMs: number;
  };
  models: {
    /** Folder with GGUF files, absolute. */
    folder: string;
    /** Model behind the alias `default`; null: the built-in model. */
    default: string | null;
    /** Alias to model name. */
    aliases: Record<string, string>;
    /** Idle time before an unload; Infinity: never; 0: at once. */
    keepAliveMs: number;
    /** The same for single models, by name, alias or `name:quantization`. */
    keepAliveMsOf: Record<string, number>;
    /** Models that stay once they are loaded, by such names. */
    pinned: string[];
    /** Context per slot in tokens; null: planned from the model and the memory. */
    contextTokens: number | null;
    /** Slots per model; null: planned from the memory. */
    parallel: number | null;
    /** Requests that may wait per model. */
    maxQueue: number;
    /** Room on disk for states of prompts, per model; 0: none are kept. */
    prefixVaultBytes: number;
    /** Prompts that are read faster than this are not kept. */
    prefixVaultMinMs: number;
    /** Texts that prompts begin with, kept from the first time on; `model`: a name or alias, null for all models. */
    pinnedPrompts: { model: string | null; prompt: string }[];
    /** Whether requests with different API keys may use what was computed for each other. */
    prefixSharing: 'per_key' | 'shared';
    /** Longest time a load may take. */
    loadTimeoutMs: number;
  };
  /** Models from a hub and from elsewhere on this machine; the file has these settings under `models`. */
  pulls: {
    /** Base address of the hub. */
    hub: string;
    /** Token that is sent to the hub, and to no other host; null: none. */
    hubToken: string | null;
    /** Proxy towards the hub, with its scheme; null: none. Never shown: it may hold a password. */
    hubProxy: string | null;
    /** Hosts that are reached without it. */
    hubNoProxy: string[];
    /** Hosts beside the hub's that it may redirect to, with everything under them. */
    hosts: string[];
    /** Whether a hub may be on this machine or in its networks. */
    allowPrivate: boolean;
    /** All pulls together; null: as fast as it comes. */
    bytesPerSecond: number | null;
    /** Hours of the day in which pulls run, in minutes since midnight, local time; null: always. */
    hours: { startMinute: number; endMinute: number } | null;
    /** Space on disk that pulls and imports leave free. */
    reserveBytes: number;
    /** Continue at the start what was not finished. */
    resume: boolean;
    /** Folders that clients may import files from, absolute. */
    importFolders: string[];
  };
  engine: {
    /** Threads of decoding workers in all; null: from quota, affinity and cores. */
    threads: number | null;
    /** Measure models in idle moments, and use what was measured. */
    calibrate: boolean;
    gpu: 'auto' | 'off' | 'cuda' | 'vulkan' | 'metal';
    /** Whether tokens are guessed ahead where that pays. */
    drafts: 'auto' | 'off';
    /** Memory left to others, taken off the budget. */
    memoryReserveBytes: number;
    /** Upper bound of the budget; null: what the machine or container has. */
    memoryLimitBytes: number | null;
  };
  /** Folder for state, absolute. */
  dataFolder: string;
  log: { level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent' };
}
