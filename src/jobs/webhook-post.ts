import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { bareHost, isPrivateAddress, type LookUpHost, lookupOf } from '../wire/addresses.ts';

/** Where webhooks may go. */
export interface WebhookRules {
  /** Host names, each for itself: what is under one is not meant. Empty: there are no webhooks. */
  hosts: readonly string[];
  /** Whether they may be on this machine or in its networks. */
  allowPrivate: boolean;
}

/** Sends a body of JSON; resolves with the status of the answer. Rejects where there is none, or the address may not be reached. */
export type PostWebhook = (
  url: string,
  message: { headers: Readonly<Record<string, string>>; body: string },
  signal: AbortSignal,
) => Promise<number>;

const timeoutMs = 15_000;
export const longestWebhookUrl = 2_048;

/** What is wrong with an address, as the end of a sentence, and what would be right; null: it may be called. */
export function webhookProblem(address: string, rules: WebhookRules): { problem: string; fix: string } | null {
  const fix = 'Give an https address of a host that is in jobs.webhook_hosts.';
  if (address.length > longestWebhookUrl || !URL.canParse(address)) return { problem: 'is no address', fix };
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'is no address of the web', fix };
  if (url.username + url.password + url.hash !== '') return { problem: 'has a name, a password or a "#"', fix };
  const host = bareHost(url);
  if (!rules.hosts.includes(host)) return { problem: `leads to ${host}, which webhooks may not go to here`, fix };
  if (url.protocol === 'http:' && !rules.allowPrivate) return { problem: 'does not use HTTPS', fix };
  const refusal = isIP(host) === 0 ? null : addressProblem(host, url, rules);
  return refusal === null
    ? null
    : { problem: refusal, fix: 'Set jobs.webhook_allow_private where it is in your own network.' };
}

/** What is wrong with an address that a host name has; null: nothing. */
function addressProblem(address: string, { protocol }: URL, { allowPrivate }: WebhookRules): string | null {
  const isPrivate = isPrivateAddress(address);
  if (isPrivate && !allowPrivate) return 'leads to this machine or into a private network';
  // Within a house there are seldom certificates; outside everybody on the way could read along.
  return protocol === 'http:' && !isPrivate ? 'leads out of this network without HTTPS' : null;
}

/**
 * Sends webhooks. The address that was checked is the one that is connected to, no redirect is followed, and of an answer only
 * its status is read. `ca`: certificates that are trusted, for tests; left out: those of Node.
 */
export function createWebhookPost(deps: {
  rules: () => WebhookRules;
  clock: Pick<Clock, 'after'>;
  userAgent: string;
  lookUpHost?: LookUpHost;
  ca?: string;
}): PostWebhook {
  const { rules, clock, userAgent, lookUpHost, ca } = deps;
  return async (address, { headers, body }, signal) => {
    const problem = webhookProblem(address, rules());
    if (problem !== null) throw new Error(`the address ${problem.problem}`);
    const url = new URL(address);
    const lookup = lookupOf((resolved) => {
      const refusal = addressProblem(resolved, url, rules());
      if (refusal !== null) throw new Error(`the address ${refusal}`);
    }, lookUpHost);
    const late = new AbortController();
    const timer = clock.after(timeoutMs, () => late.abort(new Error(`no answer within ${timeoutMs / 1_000} s`)));
    const both = AbortSignal.any([signal, late.signal]);
    const options = {
      method: 'POST',
      // One connection for each: hours may lie between two.
      agent: false,
      lookup,
      signal: both,
      ...(ca !== undefined && { ca }),
      headers: {
        ...headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': userAgent,
      },
    };
    const answered = new Promise<number>((resolve, reject) => {
      const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (answer) => {
        resolve(answer.statusCode ?? 0);
        answer.destroy();
      });
      sent.on('error', (error) => reject(both.aborted ? both.reason : error));
      sent.end(body);
    });
    return answered.finally(() => timer.cancel());
  };
}
