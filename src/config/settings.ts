import { z } from 'zod';
import { parseBytes, parseDailyHours, parseDurationMs } from '../core/parse-units.ts';
import { cloudSchemas } from './cloud-settings.ts';
import { isOriginPattern } from './origins.ts';
import * as value from './values.ts';

/**
 * One setting, declared once: all three sources (file, environment, flags), the defaults, `hearth.example.yaml` and the
 * table in the documents come from here.
 */
export interface Setting {
  /** Reads what an operator wrote, in YAML or as a text. */
  schema: z.ZodType;
  /** Its environment variable, and others that count where ours is not set (the first that is set and acceptable). */
  env?: {
    name: string;
    others?: readonly string[];
    acceptsOther?: (text: string) => boolean;
    /** Whether the variable of that name with `_FILE` behind it may name a file with the value. */
    orFile?: true;
  };
  /** Its command-line flag, without the dashes, and the name of what follows it. */
  flag?: { name: string; value: string };
  /** As an operator would write it. Null: there is no value, and `unset` says what that means. */
  default: string | number | boolean | readonly never[] | Readonly<Record<string, never>> | null;
  /** What holds where nothing is set, in words; left out where `default` says it. */
  unset?: string;
  /** What it is good for, in Markdown: a phrase that begins in lower case and ends without a full stop. */
  help: string;
  /** A value that is no default, in YAML: shown in the example file where the default shows nothing. */
  example?: string;
  /** It names files or folders: relative ones count from where they were written, the default from Hearth's folder. */
  isPath?: true;
}

/** Settings by their names in the file. */
export type Section = Readonly<Record<string, Setting>>;

const forEver = (text: unknown) => parseDurationMs(text, { allowForever: true });

const server = {
  host: {
    schema: z
      .string()
      .regex(/^[a-z0-9.:[\]_-]{1,253}$/i, 'must be an IP address or a host name')
      .transform((host) => host.replace(/^\[(.*)\]$/, '$1')),
    env: { name: 'HEARTH_HOST' },
    flag: { name: 'host', value: 'address' },
    default: '127.0.0.1',
    help: 'address to listen on; others than loopback need a key, or `allow_anonymous`',
  },
  port: {
    schema: value.integer(0, 65_535),
    env: { name: 'HEARTH_PORT' },
    flag: { name: 'port', value: 'number' },
    default: 8000,
    help: 'port; 0 takes any free one',
  },
  url: {
    schema: z.string().refine(value.isBaseAddress, 'must be an address such as https://nas.local:8443'),
    env: { name: 'HEARTH_URL' },
    default: null,
    unset: 'host and port',
    help: 'where commands such as `hearth list` reach the server, if that is elsewhere or behind a proxy',
    example: 'https://nas.local:8443',
  },
  api_key: {
    schema: value
      .list(z.string().regex(/^[\x21-\x2b\x2d-\x7e]{1,512}$/, 'must be 1 to 512 characters without blanks'))
      .refine((keys) => keys.length > 0, 'must hold a key')
      .meta(value.neverShown),
    env: { name: 'HEARTH_API_KEY' },
    default: null,
    unset: 'none',
    help: 'key that clients must send as `Authorization: Bearer` or `X-API-Key`; several are a list',
    example: 'change-me',
  },
  allow_anonymous: {
    schema: value.truth(),
    env: { name: 'HEARTH_ALLOW_ANONYMOUS' },
    default: false,
    help: 'listen beyond loopback without a key, and serve everyone who can reach it',
  },
  allowed_hosts: {
    schema: value.hostNames(),
    env: { name: 'HEARTH_ALLOWED_HOSTS' },
    default: [],
    help: 'host names that requests may be made for, beside localhost and IP addresses',
    example: '[nas.local]',
  },
  origins: {
    schema: value.list(
      z
        .string()
        .refine(
          isOriginPattern,
          'must be an origin such as https://nas.local:8443, https://*.example.com, app://obsidian.md, null or *',
        ),
    ),
    env: { name: 'HEARTH_ORIGINS' },
    default: [],
    help: 'origins of pages and apps that may call from a browser: `https://nas.local:8443`, `https://*.example.com`, `http://localhost:*`, `app://obsidian.md`, `null`; `*` is all',
    example: "['https://nas.local:8443']",
  },
  trusted_proxies: {
    schema: value.networks(),
    env: { name: 'HEARTH_TRUSTED_PROXIES' },
    default: [],
    help: 'addresses and networks (CIDR) of reverse proxies whose `X-Forwarded-For` says where requests come from; of nobody else it is believed',
    example: '[127.0.0.1, 172.16.0.0/12]',
  },
  drop_attribution: {
    schema: value.truth(),
    env: { name: 'HEARTH_DROP_ATTRIBUTION' },
    default: true,
    help: 'lines at the head of a system prompt that coding agents change with every request (Claude Code names its version and a checksum there) are left out of prompts for local models, which can then be reused',
  },
  body_limit: {
    schema: value.converted(parseBytes).pipe(
      z
        .number()
        .min(1_024)
        .max(2 ** 30),
    ),
    env: { name: 'HEARTH_BODY_LIMIT' },
    default: '4MiB',
    help: 'largest request body',
  },
  drain: {
    schema: value.converted(parseDurationMs),
    env: { name: 'HEARTH_DRAIN' },
    default: '8s',
    help: 'how long answers may go on after SIGTERM',
  },
} as const satisfies Section;

const models = {
  folder: {
    schema: value.path(),
    env: { name: 'HEARTH_MODELS' },
    flag: { name: 'models', value: 'folder' },
    default: './models',
    help: 'folder with GGUF files, in any sub-folders',
    isPath: true,
  },
  default: {
    schema: value.modelName(),
    env: { name: 'HEARTH_DEFAULT_MODEL' },
    default: null,
    unset: 'the built-in model',
    help: 'model behind the name `default`',
    example: 'qwen2.5-7b-instruct',
  },
  builtin: {
    schema: value.truth(),
    env: { name: 'HEARTH_BUILTIN_MODEL' },
    default: true,
    help: 'the small model that comes with Hearth is there; `off` leaves it out, and `default` is then what `models.default` says',
  },
  follow_links: {
    schema: value.truth(),
    env: { name: 'HEARTH_FOLLOW_LINKS' },
    default: false,
    help: 'symbolic links may lead out of the model folder; those that do are named in the list of models and else left out',
  },
  aliases: {
    schema: z.record(value.modelName(), value.modelName()),
    default: {},
    help: 'other names for models; a target may name one quantization',
    example: '{ qwen-7b-chat: qwen2.5-7b-instruct:q4_k_m }',
  },
  keep_alive: {
    schema: value.converted(forEver),
    env: { name: 'HEARTH_KEEP_ALIVE' },
    default: '5m',
    help: 'idle time before a model is unloaded; `-1` is for ever, `0` at once',
  },
  keep_alives: {
    schema: z.record(value.modelName(), value.converted(forEver)),
    default: {},
    help: 'the same for single models, by name',
    example: '{ qwen-7b-chat: 30m }',
  },
  restore: {
    schema: value.truth(),
    env: { name: 'HEARTH_RESTORE' },
    default: true,
    help: 'after a restart, load again what was loaded and would still be: pinned models, and those whose `keep_alive` has not run out; one after the other, the last used first, where there is room',
  },
  pinned: {
    schema: value.list(value.modelName()),
    env: { name: 'HEARTH_PINNED' },
    default: [],
    help: 'models that stay loaded once they are',
    example: '[qwen-7b-chat]',
  },
  context_length: {
    schema: value.integer(1, 2 ** 28),
    env: { name: 'HEARTH_CONTEXT_LENGTH' },
    default: null,
    unset: 'planned from model and memory',
    help: 'tokens that one request may fill',
    example: '8192',
  },
  parallel: {
    schema: value.integer(1, 32),
    env: { name: 'HEARTH_PARALLEL' },
    default: null,
    unset: 'planned from the memory',
    help: 'requests that one model decodes at the same time, 1 to 32',
    example: '2',
  },
  max_queue: {
    schema: value.integer(0, 10_000),
    env: { name: 'HEARTH_MAX_QUEUE' },
    default: 64,
    help: 'requests that may wait for one model',
  },
  prefix_vault: {
    schema: value.converted(parseBytes),
    env: { name: 'HEARTH_PREFIX_VAULT' },
    default: '1GiB',
    help: 'room on disk for states of prompts that were read twice, per model; `0` keeps none',
  },
  prefix_vault_min: {
    schema: value.converted(parseDurationMs),
    env: { name: 'HEARTH_PREFIX_VAULT_MIN' },
    default: '2s',
    help: 'prompts that are read faster than this are not kept',
  },
  pinned_prompts: {
    schema: z
      .array(
        z.union(
          [
            value.pinnedText().transform((prompt) => ({ model: null, prompt })),
            z.strictObject({ model: value.modelName(), prompt: value.pinnedText() }),
          ],
          { error: 'must be a text, or a "model" and a "prompt"' },
        ),
        { error: 'must be a list of texts' },
      )
      .max(64),
    default: [],
    help: 'system prompts (or beginnings of raw text) that are kept from the first time on, of any cost: a text for all models, or a model with its prompt',
    example: '[You are the voice of this house., { model: qwen2.5-7b-instruct, prompt: You read recipes. }]',
  },
  prefix_sharing: {
    schema: z.enum(['per_key', 'shared']),
    env: { name: 'HEARTH_PREFIX_SHARING' },
    default: 'per_key',
    help: '`per_key`: what was computed for one API key is of no use to another; `shared`: all keys use it',
  },
  load_timeout: {
    schema: value.converted(parseDurationMs).pipe(z.number().min(1_000, 'must be at least one second')),
    env: { name: 'HEARTH_LOAD_TIMEOUT' },
    default: '10m',
    help: 'longest time that a load may take',
  },
  hub: {
    schema: z.string().refine(value.isBaseAddress, 'must be an address such as https://huggingface.co'),
    env: { name: 'HEARTH_HUB', others: ['HF_ENDPOINT'] },
    default: 'https://huggingface.co',
    help: 'hub that models are pulled from; `HF_ENDPOINT` counts too',
  },
  hub_token: {
    schema: z
      .string()
      .regex(/^[\x21-\x7e]{1,512}$/, 'must be 1 to 512 characters without blanks')
      .meta(value.neverShown),
    env: { name: 'HEARTH_HUB_TOKEN', others: ['HF_TOKEN'] },
    default: null,
    unset: 'none',
    help: 'token for the hub, sent to no other host; `HF_TOKEN` counts too',
    example: 'hf_change_me',
  },
  hub_proxy: {
    schema: z
      .string()
      .refine(value.isProxyAddress, 'must be an address such as http://proxy.lan:3128, or none')
      .transform(value.proxyAddress)
      .meta(value.neverShown),
    // Other programs may use a proxy that we cannot (SOCKS): no reason not to start.
    env: { name: 'HEARTH_HUB_PROXY', others: ['https_proxy', 'HTTPS_PROXY'], acceptsOther: value.isProxyAddress },
    default: null,
    unset: 'none',
    help: 'proxy towards the hub: `http://NAME:PASSWORD@HOST:PORT`; `HTTPS_PROXY` counts too, `none` overrules it',
    example: 'http://proxy.lan:3128',
  },
  hub_no_proxy: {
    schema: value.list(z.string().max(253)),
    env: { name: 'HEARTH_HUB_NO_PROXY', others: ['no_proxy', 'NO_PROXY'] },
    default: [],
    help: 'hosts that are reached without it; `NO_PROXY` counts too',
    example: '[mirror.lan]',
  },
  pull_hosts: {
    schema: value.hostNames(),
    env: { name: 'HEARTH_PULL_HOSTS' },
    default: [],
    help: 'hosts, with everything under them, that the hub may redirect to, beside its own',
    example: '[mirror.example.org]',
  },
  pull_allow_private: {
    schema: value.truth(),
    env: { name: 'HEARTH_PULL_ALLOW_PRIVATE' },
    default: false,
    help: 'the hub may be on this machine or in its networks',
  },
  pull_rate: {
    schema: value.converted(parseBytes).pipe(z.number().min(1_024, 'must be at least 1KiB a second')),
    env: { name: 'HEARTH_PULL_RATE' },
    default: null,
    unset: 'as fast as it comes',
    help: 'bytes per second of all pulls together',
    example: '5MB',
  },
  pull_window: {
    schema: value.converted(parseDailyHours),
    env: { name: 'HEARTH_PULL_WINDOW' },
    default: null,
    unset: 'always',
    help: 'hours of the day in which pulls run, local time: `01:00-06:00`',
    example: "'01:00-06:00'",
  },
  pull_reserve: {
    schema: value.converted(parseBytes),
    env: { name: 'HEARTH_PULL_RESERVE' },
    default: '1GiB',
    help: 'space on disk that pulls and imports leave free',
  },
  pull_resume: {
    schema: value.truth(),
    env: { name: 'HEARTH_PULL_RESUME' },
    default: true,
    help: 'continue unfinished pulls at the start',
  },
  import_folders: {
    schema: value.list(value.path()),
    env: { name: 'HEARTH_IMPORT_FOLDERS' },
    default: [],
    help: 'folders that clients may import files from',
    example: '[./incoming]',
    isPath: true,
  },
} as const satisfies Section;

const engine = {
  threads: {
    schema: value.integer(1, 1_024),
    env: { name: 'HEARTH_THREADS' },
    default: null,
    unset: 'planned from cores, affinity and CPU quota',
    help: 'threads of all models together',
    example: '2',
  },
  calibrate: {
    schema: value.truth(),
    env: { name: 'HEARTH_CALIBRATE' },
    default: 'on',
    help: 'measure in an idle moment which threads and batch are fastest; `off` does not, and does not use what was measured',
  },
  drafts: {
    schema: z.enum(['auto', 'off']),
    env: { name: 'HEARTH_DRAFTS' },
    default: 'auto',
    help: '`auto` guesses several tokens a step where that is faster (copied, repeated and schema-forced text); the model confirms each, so the text stays its own. `off`: never',
  },
  gpu: {
    schema: z.enum(['auto', 'off', 'cuda', 'vulkan', 'metal']),
    env: { name: 'HEARTH_GPU' },
    default: 'auto',
    help: '`auto`: a card with memory of its own, if there is one; `off`; or `cuda`, `vulkan`, `metal`',
  },
  memory_reserve: {
    schema: value.converted(parseBytes),
    env: { name: 'HEARTH_MEMORY_RESERVE' },
    default: null,
    unset: 'a quarter of the memory beyond 256MiB, at most 256MiB',
    help: 'memory that is left to other programs',
    example: '256MiB',
  },
  memory_limit: {
    schema: value.converted(parseBytes).pipe(z.number().min(64 * 2 ** 20, 'must be at least 64MiB')),
    env: { name: 'HEARTH_MEMORY_LIMIT' },
    default: null,
    unset: 'what the machine or container has',
    help: 'most memory that server and models may use',
    example: '6GiB',
  },
} as const satisfies Section;

const files = {
  max_size: {
    schema: value.converted(parseBytes).pipe(
      z
        .number()
        .min(1_024)
        .max(2 ** 36),
    ),
    env: { name: 'HEARTH_FILES_MAX_SIZE' },
    default: '512MiB',
    help: 'largest file that clients may send to `/v1/files`',
  },
  max_total: {
    schema: value.converted(parseBytes).pipe(z.number().min(1_024)),
    env: { name: 'HEARTH_FILES_MAX_TOTAL' },
    default: '4GiB',
    help: 'all files of all clients together, results of batches included',
  },
} as const satisfies Section;

const storage = {
  url: {
    schema: z
      .string()
      .refine(value.isDatabaseAddress, 'must be an address such as postgres://NAME:PASSWORD@db.lan:5432/hearth')
      .meta(value.neverShown),
    env: { name: 'HEARTH_STORAGE_URL', orFile: true },
    default: null,
    unset: 'a file in the data folder',
    help: 'database of PostgreSQL 14 or later that replicas share, `postgres://NAME:PASSWORD@HOST:PORT/DATABASE`; `HEARTH_STORAGE_URL_FILE` names a file that holds it',
    example: 'postgres://hearth:change-me@db.lan:5432/hearth',
  },
  seal_key: {
    schema: z
      .string()
      .regex(
        /^[\x21-\x7e]{32,512}$/,
        'must be 32 to 512 characters without blanks, such as what `openssl rand -base64 32` prints',
      )
      .meta(value.neverShown),
    env: { name: 'HEARTH_SEAL_KEY', orFile: true },
    default: null,
    unset: 'a key of its own in the data folder',
    help: 'secret that texts are sealed with which clients hold for the server, such as reasoning; the same for all replicas, or what one sealed is worth nothing to the others; `HEARTH_SEAL_KEY_FILE` names a file that holds it',
    example: 'change-me-to-32-random-characters-or-more',
  },
} as const satisfies Section;

const log = {
  level: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    env: { name: 'HEARTH_LOG_LEVEL' },
    default: 'info',
    help: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`',
  },
  format: {
    schema: z.enum(['auto', 'json', 'text']),
    flag: { name: 'log-format', value: 'json|text' },
    env: { name: 'HEARTH_LOG_FORMAT' },
    default: 'auto',
    help: '`json`: lines for programs; `text`: lines for people; `auto`: text in a terminal, else JSON',
  },
} as const satisfies Section;

/** Batches of requests. */
const jobs = {
  max_slots: {
    schema: value.integer(0, 64),
    env: { name: 'HEARTH_JOBS_MAX_SLOTS' },
    default: 4,
    help: 'requests of batches that are answered at the same time, as far as nobody else needs the slots; `0` begins none',
  },
  window: {
    schema: value.converted(parseDailyHours),
    env: { name: 'HEARTH_JOBS_WINDOW' },
    default: null,
    unset: 'always',
    help: 'hours of the day in which requests of batches are begun, local time: `23:00-06:00`',
    example: "'23:00-06:00'",
  },
  models_per_window: {
    schema: value.integer(1, 1_000),
    env: { name: 'HEARTH_JOBS_MODELS_PER_WINDOW' },
    default: null,
    unset: 'as many as are asked for',
    help: 'models whose requests are begun in one window, or in a day where there is no window; the others wait for the next',
    example: '2',
  },
  keep: {
    schema: value.converted(parseDurationMs).pipe(z.number().min(60_000, 'must be at least one minute')),
    env: { name: 'HEARTH_JOBS_KEEP' },
    default: '29d',
    help: 'how long the results of a batch can be read after its end',
  },
  body_limit: {
    schema: value.converted(parseBytes).pipe(
      z
        .number()
        .min(1_024)
        .max(256 * 2 ** 20),
    ),
    env: { name: 'HEARTH_JOBS_BODY_LIMIT' },
    default: '32MiB',
    help: 'largest request body that makes a batch; each of its requests is bound by `server.body_limit`',
  },
  pause_above_celsius: {
    schema: value.integer(30, 120),
    env: { name: 'HEARTH_JOBS_PAUSE_ABOVE_CELSIUS' },
    default: null,
    unset: 'never',
    help: 'no requests of batches are begun while the processor is hotter, until it is 5 degrees below',
    example: '80',
  },
  on_battery: {
    schema: z.enum(['pause', 'run']),
    env: { name: 'HEARTH_JOBS_ON_BATTERY' },
    default: 'pause',
    help: '`pause`: no requests of batches are begun while the machine or its UPS runs on battery; `run`: they are, until it is nearly empty',
  },
  ups: {
    schema: value.converted(value.upsAddress),
    env: { name: 'HEARTH_JOBS_UPS' },
    default: null,
    unset: 'none',
    help: 'UPS that a server of Network UPS Tools knows, as `HOST/NAME` or `HOST:PORT/NAME`',
    example: 'nas.lan:3493/ups',
  },
  webhook_hosts: {
    schema: value.hostNames(),
    env: { name: 'HEARTH_JOBS_WEBHOOK_HOSTS' },
    default: [],
    help: 'host names that may be told of the end of a batch; what is under one is not meant. None: there are no webhooks',
    example: '[hooks.example.com]',
  },
  webhook_secret: {
    schema: z
      .string()
      .refine(value.isWebhookSecret, 'must be whsec_ and 24 to 64 bytes in Base64')
      .meta(value.neverShown),
    env: { name: 'HEARTH_JOBS_WEBHOOK_SECRET', orFile: true },
    default: null,
    unset: 'none',
    help: 'secret that webhooks are signed with, `whsec_` and what `openssl rand -base64 32` prints; `HEARTH_JOBS_WEBHOOK_SECRET_FILE` names a file that holds it',
    example: 'whsec_Y2hhbmdlLW1lLXRvLTMyLXJhbmRvbS1ieXRlcy4uLi4=',
  },
  webhook_url: {
    // Who knows a path may often send there.
    schema: z
      .string()
      .refine(value.isWebhookAddress, 'must be an address such as https://hooks.example.com/batches')
      .meta(value.neverShown),
    env: { name: 'HEARTH_JOBS_WEBHOOK_URL' },
    default: null,
    unset: 'nobody',
    help: 'who is told of batches that name nobody themselves',
    example: 'https://hooks.example.com/batches',
  },
  webhook_allow_private: {
    schema: value.truth(),
    env: { name: 'HEARTH_JOBS_WEBHOOK_ALLOW_PRIVATE' },
    default: false,
    help: 'they may be on this machine or in its networks, and there without HTTPS',
  },
} as const satisfies Section;

/** Settings that stand at the top of the file. */
const topLevel = {
  data_folder: {
    schema: value.path(),
    env: { name: 'HEARTH_DATA' },
    flag: { name: 'data', value: 'folder' },
    default: './data',
    help: 'folder for state',
    isPath: true,
  },
} as const satisfies Section;

/** Other sources of answers than this machine, and who may use how much of them; docs/gateway.md has all their fields. */
const cloud = {
  version: {
    schema: cloudSchemas.version,
    default: null,
    unset: '1.0',
    help: 'version of the sections from here on',
    example: "'1.0'",
  },
  global: {
    schema: cloudSchemas.global,
    default: null,
    unset: 'none',
    help: '`cloud` (`allow` or `forbid`), `default_provider`, `default_model`, `request_timeout`, `max_retries`, `health_probes`',
    example: '{ default_provider: anthropic, request_timeout: 60s, max_retries: 3 }',
  },
  providers: {
    schema: cloudSchemas.providers,
    default: null,
    unset: 'none',
    help: 'services beside this machine, by name; a request reaches one only when it is marked for it',
    example: '{ anthropic: { api_key: "${ANTHROPIC_API_KEY}" } }',
  },
  failover_chains: {
    schema: cloudSchemas.failover_chains,
    default: null,
    unset: 'none',
    help: 'providers in the order in which they are tried, by the name that `X-Failover-Chain` gives; `local` is this machine',
    example: '{ default: { providers: [local, anthropic] } }',
  },
  rate_limits: {
    schema: cloudSchemas.rate_limits,
    default: null,
    unset: 'none',
    help: 'what one key, and one address, may ask: `requests_per_minute`, `tokens_per_minute`, `requests_per_day`',
    example: '{ per_key: { requests_per_minute: 60 } }',
  },
  budgets: {
    schema: cloudSchemas.budgets,
    default: null,
    unset: 'nothing may be spent',
    help: 'most USD in a day, a week and a month (UTC), in all and `per_key`',
    example: '{ daily: 5, monthly: 50, per_key: { daily: 1 } }',
  },
  keys: {
    schema: cloudSchemas.keys,
    default: null,
    unset: 'none',
    help: 'keys with scopes, an expiry, models, budgets and limits of their own',
    example: '[{ name: kitchen, key: "${KITCHEN_KEY}", cloud: false }]',
  },
  jwt: {
    schema: cloudSchemas.jwt,
    default: null,
    unset: 'none are taken',
    help: 'signed tokens that are taken beside keys: `issuer`, `audience`, `jwks_file` or `jwks_url`, `algorithms`',
    example: '{ issuer: "https://login.example.com", audience: hearth, jwks_url: "https://login.example.com/jwks" }',
  },
  ledger: {
    schema: cloudSchemas.ledger,
    default: null,
    unset: '400 days',
    help: 'how long each try at a provider keeps a row of its own (`keep_days`); after that sums of each day are kept, by key and model',
    example: '{ keep_days: 400 }',
  },
} as const satisfies Section;

/** What the sources may say beside settings: which files to read. */
export const fileSources = {
  config: {
    env: { name: 'HEARTH_CONFIG' },
    flag: { name: 'config', value: 'file' },
    help: 'the YAML file',
  },
  apiKey: { env: { name: 'HEARTH_API_KEY_FILE' }, help: 'file with the key, or with one key a line' },
} as const satisfies Readonly<Record<string, Pick<Setting, 'env' | 'flag' | 'help'>>>;

/** All settings: the sections of the file, and what stands at its top. */
export const sections = { server, models, engine, files, jobs, topLevel, storage, log, cloud };

/** Sections of the file whose texts may name variables: `${NAME}`. */
export const sectionsWithVariables: readonly string[] = ['jobs', 'storage', ...Object.keys(cloud)];

/** A setting's place in the file, and what was declared of it. */
export type SettingPath = readonly [string] | readonly [string, string];

/** Every setting with its place in the file, in the order in which documents show them. */
export const allSettings: readonly { path: SettingPath; setting: Setting }[] = [
  ...entriesOf('server', sections.server),
  ...entriesOf('models', sections.models),
  ...entriesOf('engine', sections.engine),
  ...entriesOf('files', sections.files),
  ...entriesOf('jobs', sections.jobs),
  ...Object.entries(sections.topLevel).map(([key, setting]) => ({ path: [key] as const, setting })),
  ...entriesOf('storage', sections.storage),
  ...entriesOf('log', sections.log),
  ...Object.entries(sections.cloud).map(([key, setting]) => ({ path: [key] as const, setting })),
];

function entriesOf(name: string, section: Section): { path: SettingPath; setting: Setting }[] {
  return Object.entries(section).map(([key, setting]) => ({ path: [name, key], setting }));
}
