/** Scheme, host and port of what may be listed; `*` may stand for a whole host, its first labels, or the port. */
const pattern = /^([a-z][a-z0-9+.-]*):\/\/(\*|(?:\*\.)?[a-z0-9_-][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::(\*|\d{1,5}))?$/;
/** Labels that a star may stand for. */
const labels = '[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*';
const schemesOfPages = ['http', 'https'];

/**
 * Whether a text can be listed as an origin: one as browsers send it (`https://nas.local:8443`, `app://obsidian.md`), the
 * `null` of pages without one, `*` for all, or one with a star for the host, for labels before it or for the port.
 */
export function isOriginPattern(text: string): boolean {
  if (text === '*' || text === 'null') return true;
  const [, scheme, host, port] = pattern.exec(text) ?? [];
  if (scheme === undefined || host === undefined) return false;
  if (!schemesOfPages.includes(scheme)) return true;
  // Browsers leave the usual port out and write a host in one way only: another spelling would never match.
  const plain = `${scheme}://${host.replace('*', 'star')}${port === undefined || port === '*' ? '' : `:${port}`}`;
  return URL.canParse(plain) && new URL(plain).origin === plain;
}

/** Whether one of the listed patterns stands for this `Origin`. */
export function isListedOrigin(origin: string, listed: readonly string[]): boolean {
  return listed.some((text) => {
    if (text === '*' || text === origin) return true;
    return text.includes('*') && toExpression(text).test(origin);
  });
}

function toExpression(text: string): RegExp {
  const [, scheme = '', host = '', port] = pattern.exec(text) ?? [];
  const escaped = (part: string) => part.replace(/[.+[\]]/g, '\\$&');
  const hostPart = host === '*' ? `(?:${labels}|\\[[0-9a-f:.]+\\])` : escaped(host).replace(/^\*/, labels);
  const portPart = port === undefined ? '' : port === '*' ? '(?::\\d{1,5})?' : `:${port}`;
  return new RegExp(`^${escaped(scheme)}://${hostPart}${portPart}$`);
}
