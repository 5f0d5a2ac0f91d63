import { readFileSync } from 'node:fs';
import { warningsOf } from '../config/cloud.ts';
import { unknownVariables } from '../config/env.ts';
import { ConfigError, loadConfig } from '../config/load.ts';
import { asksForKey, isLoopback } from '../config/rules.ts';
import type { Config } from '../config/schema.ts';
import { systemClock, within } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type {
  Box,
  ConfigurationFacts,
  DoctorDeps,
  FolderSettings,
  NetworkSettings,
  ProviderFacts,
  ServerFacts,
} from '../doctor/doctor.ts';
import type { HearthClient } from './client.ts';
import { nearestWord } from './nearest-word.ts';

/** States of a pull that nothing follows. */
const endedStates = ['done', 'failed', 'cancelled'];
/** Time for one provider: some take seconds to refuse a key. */
const providerMs = 10_000;
const mostErrors = 50;

/** What the configuration is, or why it cannot be used. `read`: reads all of its sources. */
export function configurationFacts(
  read: () => Config,
  about: { env: NodeJS.ProcessEnv; filePath: () => string | null },
): ConfigurationFacts {
  const filePath = about.filePath();
  const text = filePath === null ? '' : readText(filePath);
  const variables = unknownVariables(about.env)
    // The file may name any variable.
    .filter(({ name }) => !text.includes(`\${${name}}`))
    .map(({ name, known }) => ({ name, nearest: nearestVariable(name, known) }));
  try {
    const config = read();
    const warnings = warningsOf(config.cloud);
    return { config, problem: null, warnings, filePath, asksForKey: asksForKey(config), unknownVariables: variables };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { message: problem } = error;
    return { config: null, problem, warnings: [], filePath, asksForKey: false, unknownVariables: variables };
  }
}

/** `HEARTH_` is the same in all of them, and would make any two look alike. */
function nearestVariable(name: string, known: readonly string[]): string | null {
  const bare = (variable: string) => variable.slice('HEARTH_'.length).toLowerCase();
  const nearest = nearestWord(bare(name), known.map(bare));
  return nearest === null ? null : `HEARTH_${nearest.toUpperCase()}`;
}

/** The configuration that nothing sets: what is looked at where the real one cannot be used. */
export function defaultConfig(): Config {
  return loadConfig({ flags: {}, env: {}, cwd: '/' });
}

export function folderSettings(config: Config, filePath: string | null): FolderSettings {
  return {
    modelsFolder: config.models.folder,
    dataFolder: config.dataFolder,
    configFile: filePath,
    reserveBytes: config.pulls.reserveBytes,
    hasOwnDatabase: config.storage.url !== null,
  };
}

/** `address`: where a Hearth answers; null: nowhere. */
export function networkSettings(
  config: Config,
  { isOffline, address, wantsHub }: { isOffline: boolean; address: string | null; wantsHub: boolean },
): NetworkSettings {
  const { host, port, url } = config.server;
  const isHere = address !== null && (url === null || isHereAt(address, port));
  return {
    host,
    port,
    hub: config.pulls.hub,
    hubProxy: config.pulls.hubProxy,
    isOffline,
    wantsHub,
    hearthAnswers: isHere,
    hasHours: config.pulls.hours !== null || config.jobs.hours !== null,
  };
}

function isHereAt(address: string, port: number): boolean {
  const url = new URL(address);
  return isLoopback(url.hostname) && Number(url.port || 80) === port;
}

/** Whether a pull of a server that runs is not at its end. Without a server nothing is pulled by itself. */
export async function waitsForHub(client: Pick<HearthClient, 'address' | 'pulls'>): Promise<boolean> {
  const pulls = client.address === null ? [] : await orNull(client.pulls());
  return pulls?.some(({ state }) => !endedStates.includes(state)) ?? false;
}

/** What the server says; null: none runs. What this key may not see is null. */
export async function serverFacts(client: HearthClient): Promise<ServerFacts | null> {
  if (client.address === null) return null;
  const [health, models, config, errors] = await Promise.all([
    client.health(),
    orNull(client.models()),
    orNull(client.configStatus()),
    orNull(client.logs({ level: 'error', limit: mostErrors })),
  ]);
  const broken = models?.models.filter(({ state }) => /^(invalid|quarantined)/.test(state)) ?? null;
  return {
    address: client.address,
    version: health.version,
    status: health.status,
    components: health.components,
    brokenModels: broken?.map(({ model, state }) => ({ name: model, reason: state.replace(/^invalid: /, '') })) ?? null,
    leftOut: models?.leftOut ?? null,
    configError: config?.error ?? null,
    lastErrors: errors?.map(({ message }) => message) ?? null,
  };
}

/** Asks each provider that is on whether it would answer; null: nobody was asked, `why` says why not. */
export async function providerFacts(
  client: HearthClient | null,
  config: Config,
  { isOffline, box }: { isOffline: boolean; box: Pick<Box, 'ownerOf' | 'user'> },
): Promise<Pick<DoctorDeps, 'providers' | 'providersWhy'>> {
  const on = [...config.cloud.providers.values()].filter(({ enabled }) => enabled);
  if (on.length === 0) return { providers: [], providersWhy: null };
  if (isOffline) return { providers: null, providersWhy: 'not asked (--offline)' };
  if (!config.cloud.cloudAllowed)
    return { providers: null, providersWhy: 'not asked: nothing leaves, by global.cloud' };
  if (client === null) return { providers: null, providersWhy: 'not asked: the server is not there' };
  if (client.address === null && !isOurs(config.dataFolder, box)) {
    return { providers: null, providersWhy: 'not asked: no server runs, and the data folder is not one of this user' };
  }
  const test = async (id: string): Promise<ProviderFacts> => {
    const asked = client.testProvider(id).catch((error: unknown) => {
      if (!(error instanceof AppError || error instanceof ConfigError)) throw error;
      return { answered: false, latencyMs: null, error: error.message };
    });
    const late = { answered: false, latencyMs: null, error: `no answer within ${providerMs / 1_000} s` };
    const { answered, latencyMs, error } = await within(systemClock, providerMs, asked, late);
    return { id, answered, latencyMs, error };
  };
  // One after the other where this process does the work: each is a server of its own for a moment.
  const providers: ProviderFacts[] = [];
  if (client.address !== null) providers.push(...(await Promise.all(on.map(({ id }) => test(id)))));
  else for (const { id } of on) providers.push(await test(id));
  return { providers, providersWhy: null };
}

/** Where no server runs, this process opens the folder: one that is not there would be made, and of somebody else spoiled. */
function isOurs(folder: string, { ownerOf, user }: Pick<Box, 'ownerOf' | 'user'>): boolean {
  const owner = ownerOf(folder);
  return owner !== null && (user === null || owner.uid === user.uid);
}

/** What a key for inference may not see is refused. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A check of its own says so.
    return '';
  }
}
