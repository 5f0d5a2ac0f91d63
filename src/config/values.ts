import { isIP } from 'node:net';
import { z } from 'zod';
import type { UpsAddress } from '../core/machine.ts';
import { parseDurationMs } from '../core/parse-units.ts';

/** Marks what holds a secret: by this the schema of the file says so, and whatever shows settings leaves it out. */
export const neverShown = { writeOnly: true };

/** What a client can send as a key: `Authorization: Bearer` ends at a blank. */
export const clientKeyPattern = /^[\x21-\x7e]{1,512}$/;

/** Whether a service's key can stand in a header; what cannot would be shown by who refuses to send it. */
export const isSendableKey = (text: string): boolean => /^[\x21-\x7e]{1,8192}$/.test(text);

/** A time to wait, in milliseconds. 0 is refused: some programs mean by it that there is no limit. */
export function timeLimit() {
  return converted((text) => {
    const ms = parseDurationMs(text);
    if (ms > 0) return ms;
    throw new RangeError('must be longer than 0 s');
  });
}

/** A whole number within bounds, also as a text of digits. */
export function integer(min: number, max: number) {
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

/** A truth value, also as one of the words for it. */
export function truth() {
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
export function list<T extends z.ZodType<string, string>>(item: T) {
  const split = z.string().transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
  return z.union([z.array(z.string()), split], { error: 'must be a list of texts' }).pipe(z.array(item).max(256));
}

/** What `convert` makes of the value; its `RangeError` is the message. */
export function converted<T>(convert: (value: unknown) => T) {
  // What is written is a text or a number, which the schema for editors says.
  return z
    .unknown()
    .meta({ type: ['string', 'number'] })
    .transform((value, context) => {
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
export function hostNames() {
  return list(
    z.string().regex(/^[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9])?$/i, 'must be a host name without scheme and port'),
  ).transform((hosts) => hosts.map((host) => host.toLowerCase()));
}

/** IP addresses and networks (`10.0.0.0/8`, `fd00::/8`). All of the internet is none: anybody could name any address. */
export function networks() {
  return list(
    z
      .string()
      .refine(isNetwork, 'must be an IP address or a network such as 172.16.0.0/12')
      .refine((text) => !text.endsWith('/0'), 'must not be everybody: any client could say that it is another one'),
  );
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

/** A path, as it was written. */
export function path() {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(4_096)
    .refine((text) => !text.includes('\0'), 'must be a path');
}

/** The text of a pinned prompt. */
export function pinnedText() {
  return z.string().refine((text) => text.trim() !== '', 'must not be empty');
}

/** A name of a model, an alias or `name:quantization`. */
export function modelName() {
  return z.string().trim().min(1, 'must not be empty').max(1_024);
}

/** A UPS of a NUT server, `HOST/NAME` or `HOST:PORT/NAME`. Throws a `RangeError` for anything else. */
export function upsAddress(text: unknown): UpsAddress {
  const match = /^([a-z0-9._-]{1,253}|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/([a-z0-9._-]{1,64})$/i.exec(String(text));
  const port = Number(match?.[2] ?? 3_493);
  if (match === null || port < 1 || port > 65_535) {
    throw new RangeError('must be a host and the name of a UPS there, such as nas.lan:3493/ups');
  }
  return { host: match[1]!.replace(/^\[(.*)\]$/, '$1'), port, name: match[3]! };
}

/** Whether it is a secret as Standard Webhooks has them: a prefix, and so many bytes in Base64. */
export function isWebhookSecret(text: string): boolean {
  const [, base64 = ''] = /^whsec_((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/.exec(text) ?? [];
  const bytes = Buffer.from(base64, 'base64').length;
  return bytes >= 24 && bytes <= 64;
}

/** The base address of a server: without a name, a query or anything else that a base address cannot have. */
export function isBaseAddress(text: string): boolean {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) return false;
  const { username, password, search, hash } = new URL(text);
  return username + password + search + hash === '';
}

/** Whether webhooks can go there; which hosts they may go to is another setting. */
export function isWebhookAddress(text: string): boolean {
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text)) return false;
  const { username, password, hash } = new URL(text);
  return username + password + hash === '';
}

/** Whether it names a database of PostgreSQL; what else stands in it the driver reads. */
export function isDatabaseAddress(text: string): boolean {
  if (!/^postgres(ql)?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { hostname, pathname, searchParams } = new URL(text);
  return (hostname !== '' || searchParams.has('host')) && pathname.length > 1;
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

/** The address of a proxy with its scheme; null for `none`. */
export function proxyAddress(text: string): string | null {
  if (text === 'none') return null;
  return text.includes('://') ? text : `http://${text}`;
}
