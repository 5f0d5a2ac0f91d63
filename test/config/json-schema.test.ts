import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { redact } from '../../src/config/redact.ts';
import { allSettings } from '../../src/config/settings.ts';
import { repositoryRoot } from '../support/server.ts';

const schema = configJsonSchema();
const accepts = new Ajv({ strict: false, validateFormats: false }).compile(schema);

describe('the schema of the configuration file', () => {
  it('takes the example file, and a file with other services', () => {
    expect(accepts(parse(readFileSync(join(repositoryRoot, 'hearth.example.yaml'), 'utf8'))), 'example').toBe(true);
    const file = parse(`
version: 1.0
global: { request_timeout: 30s, max_retries: 3, default_provider: openai, cloud: "\${CLOUD:-allow}" }
providers:
  openai:
    enabled: \${OPENAI:-true}
    api_key: \${OPENAI_API_KEY}
    base_url: \${OPENAI_URL}
    models: [{ id: gpt-4o, context_window: 128000, pricing: { input_per_1k: 0.005, output_per_1k: "0.015" } }]
    rate_limits: { requests_per_minute: "\${RPM}" }
failover_chains: { a: [openai, local], b: { providers: [local], description: x } }
budgets: { daily: 5, per_key: { daily: 1 } }
keys: [{ name: kitchen, key: "\${KITCHEN}", cloud: false, expires: 2027-01-01 }]
`);
    expect(accepts(file), JSON.stringify(accepts.errors)).toBe(true);
  });

  it.each(['servr: {}', 'server: { prt: 1 }', 'global: { max_retries: [] }', 'providers: { openai: { modells: [] } }'])(
    'marks a mistake: %s',
    (text) => {
      expect(accepts(parse(text))).toBe(false);
    },
  );

  it('says of every setting what it is good for', () => {
    for (const { path } of allSettings) {
      const [name, key] = path;
      const own = schema.properties![name]!;
      const setting = key === undefined ? own : own.properties![key]!;
      expect(setting.description, path.join('.')).toMatch(/^.+\.$/);
    }
  });
});

describe('settings that are shown', () => {
  const canary = 'canary-1234';

  it('are without their secrets, wherever those may stand', () => {
    const file = {
      server: { port: 1, api_key: [canary] },
      models: { hub_token: canary, hub_proxy: `http://user:${canary}@proxy.lan`, hub: 'https://hub.example' },
      providers: {
        openai: {
          display_name: 'OpenAI',
          api_key: canary,
          headers: { 'x-tenant': canary },
          models: [{ id: 'gpt-4o' }],
        },
      },
      keys: [{ name: 'kitchen', key: canary }],
    };
    const shown = redact(file, schema);
    expect(JSON.stringify(shown)).not.toContain(canary);
    expect(shown).toMatchObject({
      server: { port: 1, api_key: '[redacted]' },
      models: { hub: 'https://hub.example' },
      providers: { openai: { display_name: 'OpenAI', api_key: '[redacted]', models: [{ id: 'gpt-4o' }] } },
      keys: [{ name: 'kitchen', key: '[redacted]' }],
    });
  });

  it('are left out where the schema does not know them', () => {
    expect(redact({ server: { new_secret: canary } }, schema)).toEqual({ server: { new_secret: '[redacted]' } });
    expect(redact({ __proto__x: canary }, schema)).toEqual({ __proto__x: '[redacted]' });
  });

  it('say which variable a secret comes from, and nothing else beside it', () => {
    const of = (api_key: string) => redact({ providers: { a: { api_key } } }, schema);
    expect(of('${OPENAI_API_KEY}')).toEqual({ providers: { a: { api_key: '${OPENAI_API_KEY}' } } });
    expect(of(`\${KEY:-${canary}}`)).toEqual({ providers: { a: { api_key: '[redacted]' } } });
  });
});
