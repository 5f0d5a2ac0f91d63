import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-words-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'hearth.yaml');

/** What is said of a file with this text, without its name. */
function problemsOf(text: string): string[] {
  writeFileSync(file, text);
  try {
    loadConfig({ flags: { config: file }, env: {}, cwd: folder });
    return [];
  } catch (error) {
    return (error as Error).message.split('\n').map((line) => line.replace(`${file}:`, ''));
  }
}

describe('what is wrong with a configuration is said by line, setting, what is expected and what was found', () => {
  it.each<[string, string[]]>([
    [
      'failover_chains:\n  default: openai\n',
      [
        '2:12: failover_chains.default: must be a list, or a section of settings, found a text; such as [local, anthropic]',
      ],
    ],
    [
      'failover_chains:\n  default: []\n',
      [
        '2:12: failover_chains.default: must have at least 1 item, or a section of settings, found an empty list; such as [local, anthropic]',
      ],
    ],
    [
      'failover_chains:\n  default:\n    providers: openai\n',
      ['3:16: failover_chains.default.providers: must be a list, found a text; such as [local, anthropic]'],
    ],
    [
      'global:\n  cloud: maybe\n',
      ['2:10: global.cloud: must be one of allow, forbid, or true or false, found "maybe"'],
    ],
    ['global:\n  max_retries: 99\n', ['2:16: global.max_retries: must be a whole number from 0 to 20, found 99']],
    ['budgets:\n  alert_at: 85\n', ['2:13: budgets.alert_at: must be at most 1, found 85; such as 0.85 for 85 %']],
    ['budgets:\n  unknown_prices: ask\n', ['2:19: budgets.unknown_prices: must be one of refuse, allow, found "ask"']],
    ['jwt:\n  issuer: a\n  audience: []\n', ['3:13: jwt.audience: must have at least 1 item, found an empty list']],
    ['jwt:\n  issuer: a\n', ['2:3: jwt.audience: must be a text, or a list, and is missing']],
    [
      'keys:\n  - scopes: [root]\n',
      [
        '2:5: keys.0.name: must be a text, and is missing',
        '2:14: keys.0.scopes.0: must be one of inference, admin, found "root"',
      ],
    ],
    [
      'providers: openai\n',
      [
        '1:12: providers: must be a section of settings, found a text; such as { openai: { api_key: "${OPENAI_API_KEY}" } }',
      ],
    ],
    [
      'providers:\n  openai:\n    api_key: k\n    models: [gpt-4o]\n',
      ['4:14: providers.openai.models.0: must be a section of settings, found a text; such as - id: gpt-4o'],
    ],
    [
      'providers:\n  openai:\n    apikey: k\n',
      ['3:5: providers.openai.apikey: there is no such setting; did you mean api_key?'],
    ],
    ['serverr:\n  port: 1\n', ['1:1: serverr: there is no such setting; did you mean server?']],
    ['nonsense: 1\n', ['1:1: nonsense: there is no such setting']],
  ])('%j', (text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });

  it('never shows a text, which may be a secret that was written in the wrong place', () => {
    for (const text of [
      'providers: { openai: sk-canary }',
      'server: sk-canary',
      'keys: sk-canary',
      'budgets: { daily: sk-canary }',
    ])
      expect(problemsOf(text).join()).not.toContain('sk-canary');
  });

  it('uses no word of the validator', () => {
    const wrong = [
      'version: [1]',
      'server: []',
      'models: { aliases: [x] }',
      'providers: { a: { headers: 5 } }',
      'keys: [{ name: a, expires: soon }]',
      'keys: [{ name: a, scopes: [] }]',
      'providers: { a: { display_name: 5 } }',
      'jwt: { issuer: "", audience: 5 }',
      'providers: { a: { models: [{ id: x, pricing: { tiers: { flex: 5 } } }] } }',
      'providers: { a: { type: 7 } }',
    ];
    for (const text of wrong) {
      const lines = problemsOf(text).join('\n');
      expect(lines, text).not.toBe('');
      expect(lines, text).not.toMatch(/Invalid|Too (small|big)|expected |undefined|received/);
    }
  });
});
