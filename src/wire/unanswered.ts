/** The code of the system, such as `ECONNREFUSED`, in what a client of HTTP rejects with; null: it has none. */
export function systemCodeOf(error: unknown): string | null {
  let at = error;
  for (let depth = 0; depth < 8 && typeof at === 'object' && at !== null; depth++) {
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    if (typeof code === 'string' && code !== '') return code;
    at = cause;
  }
  return null;
}

/** Whether an answer only says where one could be. It is not followed: the key must not go elsewhere. */
export const isRedirect = (status: number): boolean => status >= 300 && status < 400;

/**
 * Whether a status says, whoever words it, that the request is more than is taken: the proxy in front of a service has bounds of
 * its own, and its page is no fault of the service.
 */
export const isTooMuch = (status: number): boolean => status === 413 || status === 414 || status === 431;

/** What is said of one: mostly the address in the configuration is the old one, or has no `https`. */
export const leadsElsewhere = (provider: string, status: number): string =>
  `${provider} leads elsewhere (status ${status}); base_url must be the address that it leads to.`;
