import { z } from 'zod';

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
export function hostNames() {
  return list(
    z.string().regex(/^[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9])?$/i, 'must be a host name without scheme and port'),
  ).transform((hosts) => hosts.map((host) => host.toLowerCase()));
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

/** The base address of a server: without a name, a query or anything else that a base address cannot have. */
export function isBaseAddress(text: string): boolean {
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

/** The address of a proxy with its scheme; null for `none`. */
export function proxyAddress(text: string): string | null {
  if (text === 'none') return null;
  return text.includes('://') ? text : `http://${text}`;
}
