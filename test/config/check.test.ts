import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createConfigStore } from '../../src/config/store.ts';
import { manualClock } from '../support/manual-clock.ts';

const root = mkdtempSync(join(tmpdir(), 'hearth-check-'));
const folder = join(root, 'app/config');
mkdirSync(folder, { recursive: true });
afterAll(() => rmSync(root, { recursive: true }));

const env = { SECRET_URL: 'canary-of-a-variable', HEARTH_HOST: '127.0.0.1' };
const inForce = join(folder, 'providers.yaml');
writeFileSync(inForce, 'providers: { cursor: { base_url: https://cursor.example/v1, api_key: k } }\n');
writeFileSync(join(folder, 'next.yaml'), 'global: { max_retries: 99 }\nservr: {}\n');
writeFileSync(join(root, 'outside.yaml'), 'server: { port: 1 }\n');
symlinkSync(join(root, 'outside.yaml'), join(folder, 'link.yaml'));
mkdirSync(join(folder, 'more'));
writeFileSync(join(folder, 'more/nested.yaml'), '');

function storeOf(filePath: string | null) {
  const load = (file = inForce) => loadConfig({ flags: { config: file }, env, cwd: root });
  return createConfigStore({ initial: load(), load, filePath, clock: manualClock() });
}
const store = storeOf(inForce);

describe('a file beside the configuration in force', () => {
  it('is checked by its bare name, with the lines and paths of what is wrong', () => {
    expect(store.check({ file: 'next.yaml' })).toEqual({
      errors: [
        `${join(folder, 'next.yaml')}:1:24: global.max_retries: must be a whole number from 0 to 20, found 99`,
        `${join(folder, 'next.yaml')}:2:1: servr: there is no such setting; did you mean server?`,
      ],
      warnings: [],
    });
    expect(store.state().error).toBeNull();
  });

  it.each(['providers.yaml', 'config/providers.yaml', 'app/config/providers.yaml', inForce])(
    'may be the one in force, by any end of its path: %s',
    (file) => {
      expect(store.check({ file })).toEqual({
        errors: [],
        warnings: expect.arrayContaining(["Provider 'cursor' has no models configured"]),
      });
    },
  );

  it.each([
    '../outside.yaml',
    '../../outside.yaml',
    join(root, 'outside.yaml'),
    'more/nested.yaml',
    './next.yaml',
    'link.yaml',
    '.env',
    'roviders.yaml',
    'missing.yaml',
    'next.yaml\0',
    'more',
    '',
  ])('is never one outside of the folder, in another one or of another kind: %j', (file) => {
    expect(() => store.check({ file })).toThrow(
      expect.objectContaining({ code: 'invalid_request', field: 'config_path' }),
    );
  });

  it('is none where the server was started without a file', () => {
    expect(() => storeOf(null).check({ file: 'next.yaml' })).toThrow(
      expect.objectContaining({ code: 'invalid_request', field: 'config_path' }),
    );
  });
});

describe('a text that a client sends', () => {
  const check = (text: string) => store.check({ text });

  it('is told what is wrong, by line and path', () => {
    expect(check('global:\n  max_retries: many\n').errors).toEqual([
      'yaml:2:16: global.max_retries: must be a whole number from 0 to 20, found a text',
    ]);
    expect(check('global: [').errors).toHaveLength(1);
    expect(check('failover_chains: { premium: [openai] }').errors).toEqual([
      'yaml:1:29: failover_chains.premium: there is no provider "openai"',
    ]);
  });

  it('is told what is likely a mistake', () => {
    expect(check('providers: { cursor: { base_url: https://cursor.example/v1 } }').warnings).toContain(
      "Provider 'cursor' has no models configured",
    );
  });

  it('learns nothing of the variables of the server', () => {
    for (const text of [
      'global: { default_provider: "${SECRET_URL}" }',
      'global: { max_retries: "${SECRET_URL}" }',
      'providers: { openai: { base_url: "${SECRET_URL}", api_key: "${SECRET_URL}", region: "${UNSET}" } }',
      'failover_chains: { a: ["${SECRET_URL}"] }',
    ]) {
      expect(check(text).errors, text).toEqual([]);
    }
  });

  it('has no file read', () => {
    const text = `providers: { openai: { api_key_file: ${join(root, 'no-such-file')} } }`;
    expect(check(text).errors).toEqual([]);
    for (const path of [join(root, 'no-such-file'), '/etc/passwd']) {
      expect(check(`budgets: { daily: 1, price_list_file: ${path} }`).errors).toEqual([]);
    }
    expect(check('providers: { openai: { api_key: a, api_key_file: /dev/zero } }').errors).toEqual([
      'yaml:1:33: providers.openai.api_key: is set beside api_key_file: set only one of them',
    ]);
  });
});
