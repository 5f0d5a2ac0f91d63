import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { allSettings, fileSources } from '../../src/config/settings.ts';
import { repositoryRoot } from '../support/server.ts';

interface Service {
  environment?: Record<string, string>;
  secrets?: string[];
  depends_on?: Record<string, unknown>;
  volumes?: string[];
  stop_grace_period?: string;
}

const read = (file: string) => readFileSync(join(repositoryRoot, file), 'utf8');

describe('three replicas in containers', () => {
  const file = parse(read('docker/compose.replicas.yml'), { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
    secrets: Record<string, unknown>;
  };
  const replicas = Object.entries(file.services).filter(([name]) => name.startsWith('hearth'));

  it('are those that the balancer knows, at their port', () => {
    const servers = [...read('docker/haproxy.cfg').matchAll(/^ {2}server (\S+) (\S+):(\d+)$/gm)];
    expect(servers.map(([, name, host, port]) => ({ name, host, port }))).toEqual(
      replicas.map(([name, { environment }]) => ({ name, host: name, port: environment!['HEARTH_PORT'] })),
    );
    expect(replicas).toHaveLength(3);
  });

  it('are set by variables that there are, and share what they must', () => {
    const declared = [...allSettings.map(({ setting }) => setting), ...Object.values(fileSources)];
    const known = declared.flatMap(({ env }) =>
      env ? [env.name, ...('orFile' in env ? [`${env.name}_FILE`] : [])] : [],
    );
    for (const [name, { environment = {} }] of replicas) {
      expect(known, name).toEqual(expect.arrayContaining(Object.keys(environment)));
      const shared = ['HEARTH_STORAGE_URL_FILE', 'HEARTH_SEAL_KEY_FILE', 'HEARTH_TRUSTED_PROXIES'];
      expect(Object.keys(environment)).toEqual(expect.arrayContaining(shared));
    }
  });

  it('name only volumes, secrets and services that are declared', () => {
    for (const [name, { secrets = [], depends_on = {}, volumes = [] }] of Object.entries(file.services)) {
      for (const secret of secrets) expect(file.secrets, name).toHaveProperty(secret);
      for (const other of Object.keys(depends_on)) expect(file.services, name).toHaveProperty(other);
      const own = volumes.map((volume) => volume.split(':')[0]!).filter((source) => !source.startsWith('.'));
      for (const volume of own) expect(file.volumes, name).toHaveProperty(volume);
    }
    // What a replica keeps for itself no other one may write.
    const folders = replicas.map(([, { volumes = [] }]) => volumes.find((volume) => volume.endsWith(':/data')));
    expect(new Set(folders).size).toBe(3);
  });
});
