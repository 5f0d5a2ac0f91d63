import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingOfVariable } from '../src/config/env.ts';
import { settingsSchema } from '../src/config/settings.ts';
import { errorCatalogue } from '../src/core/errors.ts';
import { loadBody } from '../src/http/native/generate/schema.ts';
import { createMetrics } from '../src/observe/metrics.ts';
import { createHarness } from './http/harness.ts';
import { repositoryRoot } from './support/server.ts';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const readme = read('README.md');

/** Every README of the repository, by path; the recipe of the built-in model included. */
const documents = new Map(
  ['.', 'src', 'test', 'scripts', 'models', '.ci'].flatMap((folder) =>
    readdirSync(join(repositoryRoot, folder), { recursive: folder !== '.', withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name === 'README.md')
      .map((entry) => relative(repositoryRoot, join(entry.parentPath, entry.name)))
      .map((path) => [path, read(path)] as const),
  ),
);

/** The rows of the one table under a heading of the README, cells trimmed, header left out. */
function tableUnder(heading: string): string[][] {
  const section = readme.split(/^#{2,3} /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('|---'))
    .slice(1)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

const unquoted = (cell: string) => cell.replaceAll('`', '');

/** Everything the pattern's first group finds in any README, with the README it stands in. */
function mentions(pattern: RegExp): { path: string; name: string }[] {
  return [...documents].flatMap(([path, text]) =>
    [...text.matchAll(pattern)].map((match) => ({ path, name: match[1]! })),
  );
}

/**
 * Every route of the HTTP server as `METHOD /path/{parameter}`: what its OpenAPI document says, and the two routes that
 * serve the document and so are no part of it.
 */
async function routesOfCode(): Promise<ReadonlySet<string>> {
  const harness = await createHarness();
  const document = (await harness.send('GET', '/openapi.json')).json<{ paths: Record<string, object> }>();
  const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  for (const path of ['/docs', '/openapi.json']) {
    if ((await harness.send('GET', path)).statusCode === 200) routes.push(`GET ${path}`);
  }
  await harness.close();
  return new Set(routes);
}

describe('endpoints', async () => {
  const inCode = await routesOfCode();
  const inTable = tableUnder('Endpoints').flatMap(([endpoint = '', also = '']) => {
    const [method, path] = unquoted(endpoint).split(' ');
    const twins = unquoted(also)
      .split(', ')
      .filter((twin) => twin !== '');
    return [path, ...twins].map((name) => `${method} ${name}`);
  });

  it('of the code are those of the table in README.md', () => {
    expect([...inTable].sort()).toEqual([...inCode].sort());
  });

  it('that any README names exist', () => {
    // A name in angle brackets is a placeholder just as one in braces.
    const named = mentions(/\b((?:GET|POST|PUT|PATCH|DELETE) \/[^\s`'",)|]*)/g);
    const unknown = named.filter(({ name }) => !inCode.has(name.replace(/<(\w+)>/g, '{$1}').replace(/[.;:]$/, '')));
    expect(named.length).toBeGreaterThan(10);
    expect(unknown).toEqual([]);
  });

  it('that the examples of README.md call exist', () => {
    const paths = [...readme.matchAll(/(?:http|ws):\/\/127\.0\.0\.1:8000(\/[^\s'")]*)/g)].map((match) => match[1]!);
    const known = [...inCode].map((route) => route.split(' ')[1]!);
    const matches = (path: string) =>
      known.some((route) => new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`).test(path));
    expect(paths.length).toBeGreaterThan(4);
    // `/v1` is the base URL that SDKs are given.
    expect(paths.filter((path) => path !== '/v1' && !matches(path))).toEqual([]);
  });
});

describe('settings', () => {
  const rows = tableUnder('Configuration').map((cells) => cells.map(unquoted));

  const namesIn = (text: string) => new Set(text.match(/\bHEARTH_[A-Z][A-Z_]*[A-Z]\b/g) ?? []);
  const ofServer = namesIn(read('src/config/env.ts'));
  const ofTests = namesIn(read('.ci/run'));

  it('that any README names as environment variables are read by the code', () => {
    const named = mentions(/\b(HEARTH_[A-Z][A-Z_]*[A-Z])\b/g);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ name }) => !ofServer.has(name) && !ofTests.has(name))).toEqual([]);
  });

  it('from the environment are those of the table in README.md', () => {
    expect(
      rows
        .map(([, variable]) => variable)
        .filter((variable) => variable !== '')
        .sort(),
    ).toEqual([...ofServer].sort());
  });

  it('have the place in the file that the table in README.md says', () => {
    const inTable = rows.flatMap(([, variable, setting]) => (variable && setting ? [[variable, setting]] : []));
    const inCode = Object.entries(settingOfVariable).map(([variable, path]) => [variable, path.join('.')]);
    expect(inTable.sort()).toEqual(inCode.sort());
  });

  it('of the example file in README.md are accepted', () => {
    const example = /^```yaml\n([\s\S]*?)^```/m.exec(readme)?.[1] ?? '';
    expect(settingsSchema.safeParse(parse(example))).toMatchObject({ success: true, data: { server: {}, models: {} } });
  });
});

describe('fields of a load', () => {
  it('are those of the table in README.md', () => {
    const inTable = tableUnder('Your own models').map(([field = '']) => unquoted(field));
    expect(inTable.sort()).toEqual(Object.keys(loadBody.shape).sort());
  });
});

describe('error codes', () => {
  it('of the catalogue are those of the table in README.md, with status and retry', () => {
    const inTable = tableUnder('Error codes').map((cells) => cells.slice(0, 3).map(unquoted));
    const inCode = Object.entries(errorCatalogue).map(([code, { status, retryable }]) => [
      code,
      String(status),
      retryable ? 'yes' : 'no',
    ]);
    expect(inTable.sort()).toEqual(inCode.sort());
  });
});

describe('metrics', async () => {
  const text = await createMetrics('0').render();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name!, help!]));

  it('of the code are those of the table in README.md, with type and help text', () => {
    const inTable = tableUnder('Metrics').map((cells) => [unquoted(cells[0] ?? ''), cells[1], cells[2]]);
    const inCode = [...types].map(([name, type]) => [name, type, helps.get(name)]);
    expect(inTable.sort()).toEqual(inCode.sort());
  });

  it('that any README names exist', () => {
    const named = mentions(/`((?:hearth_|model_inference_|active_connections)[a-z_]*)[`{]/g);
    const unknown = named.filter(
      ({ name }) => !types.has(name.replace(/_(?:bucket|sum|count)$/, '')) && !types.has(name),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(unknown).toEqual([]);
  });
});

describe('links', () => {
  it('of every README lead to files that exist', () => {
    const links = mentions(/\]\((?!https?:|#)([^)#]+)/g);
    const broken = links.filter(({ path, name }) => !existsSync(join(repositoryRoot, path, '..', name)));
    expect(links.length).toBeGreaterThan(3);
    expect(broken).toEqual([]);
  });
});
