import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { gzipSync } from 'node:zlib';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import type { ShownSetting } from '../config/show.ts';
import { AppError } from '../core/errors.ts';
import { toPrintableJson } from '../core/printable.ts';
import { hideSecretsIn } from '../observe/hide-secrets.ts';
import type { HearthClient } from './client.ts';

const mostLogLines = 1_000;
/** Settings that hold what people wrote for models. */
const promptSettings: readonly string[] = ['models.pinned_prompts'];

/**
 * Writes a report for others: findings, settings, and what a running server says of models, metrics and its log. Prompts and
 * answers are in none of these, pinned ones apart, which are left out; secrets are hidden, and so is the name of this person's
 * folder. `path` that ends in `.gz`: packed. Throws `invalid_request` for a file that cannot be written.
 */
export async function writeBundle(
  path: string,
  about: { answer: object; settings: readonly ShownSetting[]; config: Config; client: HearthClient | null },
): Promise<void> {
  const { answer, settings, config, client } = about;
  const report = {
    made_at: new Date().toISOString(),
    ...answer,
    settings: settings.map(({ name, value, origin }) => ({
      name,
      value: promptSettings.includes(name) && Array.isArray(value) ? `${value.length} texts` : value,
      origin,
    })),
    server: client === null || client.address === null ? null : await serverPart(client),
  };
  const text = toPrintableJson(withoutHome(hideSecretsIn(report, secretsOf(config))));
  const bytes = path.endsWith('.gz') ? gzipSync(text) : Buffer.from(`${text}\n`);
  await writeFile(path, bytes, { mode: 0o600 }).catch((cause: unknown) => {
    throw new AppError('invalid_request', `${path} cannot be written.`, { cause });
  });
}

/** What the server lets this key see; the rest is the reason why not. */
async function serverPart(client: HearthClient) {
  const or = <T>(asked: Promise<T>) =>
    asked.catch((error: unknown) => {
      if (error instanceof AppError) return { not_told: error.message };
      throw error;
    });
  const [health, models, config, metrics, log] = await Promise.all([
    or(client.health()),
    or(client.models()),
    or(client.configStatus()),
    or(client.metricsText().then((text) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')))),
    or(client.logs({ limit: mostLogLines })),
  ]);
  return { health, models, config, metrics, log };
}

/** Paths say who works here. */
function withoutHome(value: unknown): unknown {
  const home = homedir();
  if (home.length < 2) return value;
  return JSON.parse(JSON.stringify(value).replaceAll(JSON.stringify(home).slice(1, -1), '~'));
}
