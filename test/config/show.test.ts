import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/load.ts';
import { showConfig } from '../../src/config/show.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-show-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'hearth.yaml');
writeFileSync(
  file,
  'server:\n  port: 1\n  host: 127.0.0.2\nproviders:\n  openai: { api_key: canary-1234, headers: { x: "${TENANT}" } }\n',
);

writeFileSync(join(folder, 'url'), 'postgres://a:canary-7@db.lan/hearth');

describe('the settings of all sources', () => {
  const shown = (env: Record<string, string> = {}, flags: object = {}) =>
    new Map(
      showConfig({ flags: { config: file, ...flags }, env: { TENANT: 'canary-5678', ...env }, cwd: folder }).map(
        (one) => [one.name, one],
      ),
    );

  it('each have the value that counts, and the place where it was written', () => {
    const settings = shown({ HEARTH_PORT: '2', HEARTH_LOG_LEVEL: 'warn' }, { port: '3' });
    expect(settings.get('server.port')).toEqual({ name: 'server.port', value: '3', origin: '--port' });
    expect(settings.get('log.level')).toEqual({ name: 'log.level', value: 'warn', origin: 'HEARTH_LOG_LEVEL' });
    expect(settings.get('server.host')).toEqual({ name: 'server.host', value: '127.0.0.2', origin: `${file}:3:9` });
    expect(settings.get('server.drain')).toEqual({ name: 'server.drain', value: '8s', origin: 'default' });
    expect(settings.get('server.url')).toEqual({ name: 'server.url', value: null, origin: 'default' });
  });

  it('say true or false, however that was written', () => {
    const settings = shown({ HEARTH_ALLOW_ANONYMOUS: '1' });
    expect(settings.get('server.allow_anonymous')).toMatchObject({ value: true, origin: 'HEARTH_ALLOW_ANONYMOUS' });
    expect(settings.get('models.builtin')).toMatchObject({ value: true, origin: 'default' });
  });

  it("have the name of another program's variable where that one counts", () => {
    const hubs = { HF_ENDPOINT: 'https://mirror.example' };
    expect(shown(hubs).get('models.hub')).toMatchObject({ value: 'https://mirror.example', origin: 'HF_ENDPOINT' });
    const both = shown({ ...hubs, HEARTH_HUB: 'https://own.example' });
    expect(both.get('models.hub')).toMatchObject({ value: 'https://own.example', origin: 'HEARTH_HUB' });
  });

  it('show no secret', () => {
    const settings = shown({ HEARTH_API_KEY: 'canary-9', HEARTH_HUB_TOKEN: 'canary-8' });
    expect(JSON.stringify([...settings.values()])).not.toContain('canary');
    expect(settings.get('server.api_key')).toMatchObject({ value: '[redacted]', origin: 'HEARTH_API_KEY' });
    const inFile = shown({ HEARTH_STORAGE_URL_FILE: file.replace('hearth.yaml', 'url') }).get('storage.url');
    expect(inFile).toMatchObject({ value: '[redacted]', origin: 'HEARTH_STORAGE_URL_FILE' });
    expect(settings.get('providers')).toMatchObject({
      value: { openai: { api_key: '[redacted]', headers: { x: '${TENANT}' } } },
    });
  });

  it('are refused as the server would refuse them', () => {
    expect(() => shown({ HEARTH_PORT: 'x' })).toThrow(ConfigError);
  });
});
