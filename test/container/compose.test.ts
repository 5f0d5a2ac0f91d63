import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { repositoryRoot } from '../support/server.ts';

interface Service {
  [field: string]: unknown;
  deploy?: { resources?: { limits?: Record<string, unknown> } };
  group_add?: unknown[];
  healthcheck?: Record<string, unknown>;
  privileged?: boolean;
  mem_limit?: string;
  stop_grace_period?: string;
}

const files = [
  ...readdirSync(repositoryRoot).filter((name) => /compose.*\.ya?ml$/.test(name)),
  ...readdirSync(join(repositoryRoot, 'docker'))
    .filter((name) => /compose.*\.ya?ml$/.test(name))
    .map((name) => join('docker', name)),
];
const read = (file: string) => readFileSync(join(repositoryRoot, file), 'utf8');
const servicesOf = (file: string) =>
  Object.entries((parse(read(file)) as { services: Record<string, Service> }).services);

describe.each(files)('%s', (file) => {
  const services = servicesOf(file);

  it('has nothing that kernels and engines of a NAS refuse', () => {
    for (const [name, service] of services) {
      expect(service, name).not.toHaveProperty('cpus');
      expect(service.deploy?.resources?.limits ?? {}, name).not.toHaveProperty('cpus');
      expect(service.healthcheck ?? {}, name).not.toHaveProperty('start_interval');
      expect(service.privileged ?? false, name).toBe(false);
      for (const group of service.group_add ?? []) expect(String(group), `${name}: group_add`).toMatch(/^\d+$/);
    }
  });

  it('is in the words of Compose 1.28', () => {
    const all = parse(read(file)) as Record<string, unknown>;
    for (const word of ['name', 'include', 'develop']) expect(all).not.toHaveProperty(word);
    expect(Number(all['version'] ?? '3.8')).toBeLessThanOrEqual(3.8);
    expect(read(file)).not.toMatch(/!reset|!override/);
  });
});

describe('the file for a NAS', () => {
  const file = 'docker-compose.qnap.yml';
  const [[, hearth]] = servicesOf(file) as [[string, Service]];

  it('stands alone: no build, nothing beside it', () => {
    for (const word of ['build', 'extends', 'env_file', 'configs', 'secrets']) expect(hearth).not.toHaveProperty(word);
  });

  it('gives running answers the time to end, and the memory a limit', () => {
    expect(hearth.stop_grace_period).toBe('60s');
    expect(hearth.mem_limit).toMatch(/^\d+g$/);
    expect(hearth['init']).toBe(true);
    expect(hearth['restart']).toBe('unless-stopped');
    expect(hearth['ports']).toEqual(['8090:8000']);
  });

  it('names what the image has', () => {
    const dockerfile = read('Dockerfile');
    expect(dockerfile).toContain(
      `HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["${hearth.healthcheck?.['test']?.[1 as never]}"]`,
    );
    for (const volume of hearth['volumes'] as string[]) expect(dockerfile).toContain(`"${volume.split(':')[1]}"`);
  });
});

describe('the Dockerfile', () => {
  const text = read('Dockerfile');

  it('brings the Node that the package pins', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
    expect(text).toContain(`node@${devDependencies['node']}`);
  });

  it('makes the image for the processor alone where none is named: its stage is the last', () => {
    expect([...text.matchAll(/^FROM .* AS (\S+)$/gm)].at(-1)?.[1]).toBe('cpu');
  });

  it('starts each image in the same way', () => {
    for (const line of [/^ENTRYPOINT .*$/gm, /^HEALTHCHECK .*$/gm, /^VOLUME .*$/gm]) {
      const found = text.match(line) ?? [];
      expect(found).toHaveLength(3);
      expect(new Set(found).size).toBe(1);
    }
  });
});
