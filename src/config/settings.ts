import { z } from 'zod';
import { parseBytes, parseDailyHours, parseDurationMs } from './units.ts';

/**
 * What one source (file, environment, flags) may set, in the words of the YAML file. The same schema reads all three,
 * so it takes numbers, truth values and lists as text too. Nothing is required here and nothing has a default.
 */
export const settingsSchema = z
  .strictObject({
    server: z
      .strictObject({
        host: z.string().regex(/^[a-z0-9.:[\]_-]{1,253}$/i, 'must be an IP address or a host name'),
        port: integer(0, 65_535),
        allowed_hosts: hostNames(),
        origins: list(
          z
            .string()
            .refine(
              (origin) => origin === '*' || isOrigin(origin),
              'must be an origin such as https://nas.local:8443, or *',
            ),
        ),
        api_key: list(
          z.string().regex(/^[\x21-\x2b\x2d-\x7e]{1,512}$/, 'must be 1 to 512 characters without blanks'),
        ).refine((keys) => keys.length > 0, 'must hold a key'),
        allow_anonymous: truth(),
        body_limit: converted(parseBytes).pipe(
          z
            .number()
            .min(1_024)
            .max(2 ** 30),
        ),
        drain: converted(parseDurationMs),
      })
      .partial(),
    models: z
      .strictObject({
        folder: path(),
        default: modelName(),
        aliases: z.record(modelName(), modelName()),
        keep_alive: converted((value) => parseDurationMs(value, { allowForever: true })),
        keep_alives: z.record(
          modelName(),
          converted((value) => parseDurationMs(value, { allowForever: true })),
        ),
        pinned: list(modelName()),
        context_length: integer(1, 2 ** 28),
        parallel: integer(1, 32),
        max_queue: integer(0, 10_000),
        prefix_vault: converted(parseBytes),
        prefix_vault_min: converted(parseDurationMs),
        pinned_prompts: z
          .array(
            z.union(
              [
                pinnedText().transform((prompt) => ({ model: null, prompt })),
                z.strictObject({ model: modelName(), prompt: pinnedText() }),
              ],
              { error: 'must be a text, or a "model" and a "prompt"' },
            ),
            { error: 'must be a list of texts' },
          )
          .max(64),
        prefix_sharing: z.enum(['per_key', 'shared']),
        load_timeout: converted(parseDurationMs).pipe(z.number().min(1_000, 'must be at least one second')),
        hub: z.string().refine(isHubAddress, 'must be an address such as https://huggingface.co'),
        hub_token: z.string().regex(/^[\x21-\x7e]{1,512}$/, 'must be 1 to 512 characters without blanks'),
        hub_proxy: z.string().refine(isProxyAddress, 'must be an address such as http://proxy.lan:3128, or none'),
        hub_no_proxy: list(z.string().max(253)),
        pull_hosts: hostNames(),
        pull_allow_private: truth(),
        pull_rate: converted(parseBytes).pipe(z.number().min(1_024, 'must be at least 1KiB a second')),
        pull_window: converted(parseDailyHours),
        pull_reserve: converted(parseBytes),
        pull_resume: truth(),
        import_folders: list(path()),
      })
      .partial(),
    engine: z
      .strictObject({
        threads: integer(1, 1_024),
        calibrate: truth(),
        gpu: z.enum(['auto', 'off', 'cuda', 'vulkan', 'metal']),
        drafts: z.enum(['auto', 'off']),
        memory_reserve: converted(parseBytes),
        memory_limit: converted(parseBytes).pipe(z.number().min(64 * 2 ** 20, 'must be at least 64MiB')),
      })
      .partial(),
    data_folder: path(),
    log: z.strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) }).partial(),
  })
  .partial();

/** Values of one source, parsed; folders as they were written. */
export type Settings = z.output<typeof settingsSchema>;

/** Lays sources over each other; later ones win, setting by setting. Aliases are one setting. */
export function mergeSettings(sources: readonly Settings[]): Settings {
  const merged: Settings = {};
  for (const source of sources) {
    merged.server = { ...merged.server, ...source.server };
    merged.models = { ...merged.models, ...source.models };
    merged.engine = { ...merged.engine, ...source.engine };
    merged.log = { ...merged.log, ...source.log };
    if (source.data_folder !== undefined) merged.data_folder = source.data_folder;
  }
  return merged;
}

function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      { error: message },
    )
    .pipe(z.number().int(message).min(min, message).max(max, message));
}

function truth() {
  const words: Readonly<Record<string, boolean>> = {
    on: true,
    '1': true,
    true: true,
    yes: true,
    off: false,
    '0': false,
    false: false,
    no: false,
  };
  return z.union(
    [
      z.boolean(),
      z.string().transform((text, context) => {
        const value = Object.hasOwn(words, text.toLowerCase()) ? words[text.toLowerCase()] : undefined;
        if (value !== undefined) return value;
        context.addIssue('must be true or false');
        return z.NEVER;
      }),
    ],
    { error: 'must be true or false' },
  );
}

/** A list, or its items in one text with commas between them. */
function list<T extends z.ZodType<string, string>>(item: T) {
  const split = z.string().transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
  return z.union([z.array(z.string()), split], { error: 'must be a list of texts' }).pipe(z.array(item).max(256));
}

function converted<T>(convert: (value: unknown) => T) {
  return z.unknown().transform((value, context) => {
    try {
      return convert(value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      context.addIssue(error.message);
      return z.NEVER;
    }
  });
}

/** Host names in lower case. */
function hostNames() {
  return list(
    z.string().regex(/^[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9])?$/i, 'must be a host name without scheme and port'),
  ).transform((hosts) => hosts.map((host) => host.toLowerCase()));
}

function path() {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(4_096)
    .refine((text) => !text.includes('\0'), 'must be a path');
}

function pinnedText() {
  return z.string().refine((text) => text.trim() !== '', 'must not be empty');
}

function modelName() {
  return z.string().trim().min(1, 'must not be empty').max(200);
}

/** Without a name, a query or anything else that a base address cannot have. */
function isHubAddress(text: string): boolean {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return username + password + search + hash === '';
}

/**
 * Whether pulls can go through this proxy; `none` is an address too, which means that there is none. Without a scheme it
 * is taken for `http:`, as other programs do.
 */
export function isProxyAddress(text: string): boolean {
  if (text === 'none') return true;
  const address = text.includes('://') ? text : `http://${text}`;
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return false;
  const { username, password, pathname, search, hash } = new URL(address);
  const isReadable = !/%(?![0-9a-f]{2})/i.test(username + password);
  return isReadable && pathname === '/' && search + hash === '';
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;
}
