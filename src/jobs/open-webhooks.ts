import type { ConfigStore } from '../config/store.ts';
import type { Clock } from '../core/clock.ts';
import { createWebhookPost, type PostWebhook, type WebhookRules } from './webhook-post.ts';

/** Where webhooks may go, as it is configured now. */
export interface WebhookSettings extends WebhookRules {
  /** `whsec_` and a key in Base64; null: none are sent. */
  secret: string | null;
  /** Who is told of batches that name nobody; null: nobody is. */
  url: string | null;
}

/** Whom the end of a batch may be told, and how. `version`: of this server, for those who are told. */
export function openWebhooks(deps: { configuration: Pick<ConfigStore, 'current'>; clock: Clock; version: string }): {
  settings: () => WebhookSettings;
  post: PostWebhook;
} {
  const settings = () => {
    const {
      webhookHosts: hosts,
      webhookSecret,
      webhookAllowPrivate,
      webhookUrl: url,
    } = deps.configuration.current().jobs;
    const secret = hosts.length === 0 ? null : (webhookSecret?.reveal() ?? null);
    return { hosts, allowPrivate: webhookAllowPrivate, secret, url };
  };
  return {
    settings,
    post: createWebhookPost({ rules: settings, clock: deps.clock, userAgent: `hearth/${deps.version}` }),
  };
}
