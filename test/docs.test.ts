import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../package.json' with { type: 'json' };
import { allSettings, fileSources } from '../src/config/settings.ts';
import { settingsSchema } from '../src/config/source.ts';
import { errorCatalogue } from '../src/core/errors.ts';
import { loadBody } from '../src/http/native/models/schema.ts';
import { createMetrics } from '../src/observe/metrics.ts';
import { createHarness } from './http/harness.ts';
import { repositoryRoot } from './support/server.ts';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');

const readmes = ['.', 'src', 'test', 'scripts', 'models', 'ui', '.ci'].flatMap((folder) =>
  readdirSync(join(repositoryRoot, folder), { recursive: folder !== '.', withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name === 'README.md')
    .map((entry) => relative(repositoryRoot, join(entry.parentPath, entry.name)))
    // Packages that tests of clients install have documents of their own.
    .filter((path) => !/[\\/](node_modules|\.venv)[\\/]/.test(path)),
);
const guides = readdirSync(join(repositoryRoot, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);

const atTop = ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];

/** Every document of the repository, by path; the recipe of the built-in model included. */
const documents = new Map(
  [...readmes, ...guides, ...atTop, 'models/hearth-guide-3m.md'].map((path) => [path, read(path)] as const),
);
/** What users read, and those who want to change something. */
const manual = new Map(
  [...documents].filter(([path]) => /^(README|CONTRIBUTING|SECURITY)\.md$/.test(path) || path.startsWith('docs/')),
);

/** The rows of all tables in a text, cells trimmed, headers left out. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n');
  return lines
    .filter(
      (line, index) => line.startsWith('|') && !/^\|[-|]+$/.test(line) && !/^\|[-|]+$/.test(lines[index + 1] ?? ''),
    )
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

/** The rows of the tables under a heading of a document, up to the next heading of any level. */
function tableUnder(path: string, heading: string): string[][] {
  return rowsOf(
    documents
      .get(path)!
      .split(/^#{1,4} /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? '',
  );
}

const unquoted = (cell: string) => cell.replaceAll('`', '');

/** Everything the pattern's first group finds in any of the documents, with the document it stands in. */
function mentions(pattern: RegExp, of: ReadonlyMap<string, string> = documents): { path: string; name: string }[] {
  return [...of].flatMap(([path, text]) => [...text.matchAll(pattern)].map((match) => ({ path, name: match[1]! })));
}

/** The commands of the `sh` blocks of the manual, lines that go on joined, comments cut off. */
function commands(): { path: string; command: string }[] {
  return mentions(/^```sh\n([\s\S]*?)^```/gm, manual).flatMap(({ path, name }) =>
    name
      .replace(/\\\n/g, '')
      .split(/\n(?=[a-z./])/)
      .flatMap((line) => line.replace(/ +#.*$/, '').split(' && '))
      .map((line) => ({ path, command: line.trim() }))
      .filter(({ command }) => command !== ''),
  );
}

/**
 * Every route of the HTTP server as `METHOD /path/{parameter}`: what its OpenAPI document says, and those that
 * are for people and so are no part of it.
 */
async function routesOfCode(): Promise<ReadonlySet<string>> {
  const harness = await createHarness();
  const document = (await harness.send('GET', '/openapi.json')).json<{ paths: Record<string, object> }>();
  const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  for (const path of ['/docs', '/openapi.json', '/ui']) {
    if ((await harness.send('GET', path)).statusCode < 400) routes.push(`GET ${path}`);
  }
  await harness.close();
  return new Set(routes);
}

describe('endpoints', async () => {
  const inCode = await routesOfCode();
  const inTable = tableUnder('docs/api.md', 'Endpoints').flatMap(([endpoint = '', also = '']) => {
    const [method, path] = unquoted(endpoint).split(' ');
    const twins = unquoted(also)
      .split(', ')
      .filter((twin) => twin !== '');
    return [path, ...twins].map((name) => `${method} ${name}`);
  });

  it('of the code are those of the table in docs/api.md', () => {
    expect([...inTable].sort()).toEqual([...inCode].sort());
  });

  it('that any document names exist', () => {
    // A name in angle brackets is a placeholder just as one in braces.
    const named = mentions(/\b((?:GET|POST|PUT|PATCH|DELETE) \/[^\s`'",)|]*)/g);
    const unknown = named.filter(({ name }) => !inCode.has(name.replace(/<(\w+)>/g, '{$1}').replace(/[.;:]$/, '')));
    expect(named.length).toBeGreaterThan(10);
    expect(unknown).toEqual([]);
  });

  it('that the examples of the manual call exist', () => {
    const paths = mentions(/(?:http|ws):\/\/127\.0\.0\.1:8000(\/[^\s'"`),]*)/g, manual);
    const known = [...inCode].map((route) => route.split(' ')[1]!);
    const matches = (path: string) =>
      known.some((route) => new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`).test(path));
    expect(paths.length).toBeGreaterThan(20);
    // `/v1` is the base URL that SDKs are given.
    expect(paths.filter(({ name }) => name !== '/v1' && !matches(name))).toEqual([]);
  });

  it('take the requests that the manual sends with curl', async () => {
    const sent = commands().filter(({ command }) => command.startsWith('curl '));
    const harness = await createHarness();
    const refused = await Promise.all(
      sent.map(async ({ path, command }) => {
        const body = /-d '([\s\S]*)'$/.exec(command)?.[1];
        const method = /-X (\w+)/.exec(command)?.[1] ?? (body === undefined ? 'GET' : 'POST');
        const url = /http:\/\/127\.0\.0\.1:8000(\S+)/.exec(command)![1]!;
        const answer = await harness.send(method, url, body === undefined ? undefined : JSON.parse(body));
        // Not every model of an example is here.
        const isTaken = answer.statusCode < 400 || answer.body.includes('"MODEL_NOT_FOUND"');
        return isTaken ? [] : [{ path, command, answer: answer.body }];
      }),
    );
    await harness.close();
    expect(sent.length).toBeGreaterThan(12);
    expect(refused.flat()).toEqual([]);
  });
});

describe('settings', () => {
  const declared = [...allSettings.map(({ setting }) => setting), ...Object.values(fileSources)];
  const ofServer = new Set(
    declared.flatMap(({ env }) => (env ? [env.name, ...('orFile' in env ? [`${env.name}_FILE`] : [])] : [])),
  );
  const ofTests = new Set(read('.ci/run').match(/\bHEARTH_[A-Z][A-Z_]*[A-Z]\b/g) ?? []);

  it('that any document names as environment variables are read by the code', () => {
    const named = mentions(/\b(HEARTH_[A-Z][A-Z_]*[A-Z])\b/g);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ name }) => !ofServer.has(name) && !ofTests.has(name))).toEqual([]);
  });

  it('of the example file in docs/configuration.md are accepted', () => {
    const example = /^```yaml\n([\s\S]*?)^```/m.exec(documents.get('docs/configuration.md')!)?.[1] ?? '';
    expect(settingsSchema.safeParse(parse(example))).toMatchObject({ success: true, data: { server: {}, models: {} } });
  });
});

describe('fields of a load', () => {
  it('are those of the table in docs/models-and-memory.md', () => {
    const inTable = tableUnder('docs/models-and-memory.md', 'Loading').map(([field = '']) => unquoted(field));
    expect(inTable.sort()).toEqual(Object.keys(loadBody.shape).sort());
  });
});

describe('error codes', () => {
  it('of the catalogue are those of the table in docs/errors.md, with status and retry', () => {
    const inTable = tableUnder('docs/errors.md', 'Error codes').map((cells) => cells.slice(0, 3).map(unquoted));
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

  it('of the code are those of the table in docs/metrics.md, with type and help text', () => {
    const inTable = tableUnder('docs/metrics.md', 'Metrics').map((cells) => [
      unquoted(cells[0] ?? ''),
      cells[1],
      cells[2],
    ]);
    const inCode = [...types].map(([name, type]) => [name, type, helps.get(name)]);
    expect(inTable.sort()).toEqual(inCode.sort());
  });

  it('that any document names exist', () => {
    const named = mentions(/`((?:hearth_|model_inference_|active_connections)[a-z_]*)[`{]/g);
    const unknown = named.filter(
      ({ name }) => !types.has(name.replace(/_(?:bucket|sum|count)$/, '')) && !types.has(name),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(unknown).toEqual([]);
  });
});

describe('commands of the manual', () => {
  const { scripts } = packageJson;
  const help = execFileSync(process.execPath, [join(repositoryRoot, 'src/main.ts'), '--help'], { encoding: 'utf8' });
  const ofHearth = [...help.matchAll(/^ {2}(\w+)(?:\|\w+)? /gm)].map((match) => match[1]!);
  const isFile = (path: string) => existsSync(join(repositoryRoot, path));

  /** Whether what a command names is there; commands of other programs name nothing of ours. */
  function isKnown(command: string): boolean {
    const [program = '', first = '', second = ''] = command.split(/\s+/);
    if (program === 'npm' && first === 'run') return second in scripts;
    if (program === 'npm') return first === 'ci' || first in scripts;
    if (program === 'npx') return first === 'node' && isFile(second);
    if (program.startsWith('./')) return isFile(program) && ofHearth.includes(first);
    return ['curl', 'apt-get', 'docker', 'export', 'claude'].includes(program);
  }

  it('name scripts, files and commands of Hearth that exist', () => {
    expect(ofHearth).toContain('plan');
    const all = commands();
    expect(all.filter(({ path }) => path === 'README.md').length).toBeGreaterThan(6);
    expect(all.filter(({ command }) => !isKnown(command))).toEqual([]);
  });
});

describe('README.md', () => {
  it('has at most 200 lines', () => {
    expect(documents.get('README.md')!.trimEnd().split('\n').length).toBeLessThanOrEqual(200);
  });

  it('leads to every guide', () => {
    const linked = [...documents.get('README.md')!.matchAll(/\]\((docs\/[^)#]+)/g)].map((match) => match[1]!);
    expect([...new Set(linked)].sort()).toEqual([...guides].sort());
  });
});

describe('pictures', () => {
  const shown = mentions(/(?:src|srcset)="([^"]+)"/g).map(({ path, name }) => join(path, '..', name));

  it('that documents show are there, small, and in light and dark', () => {
    const kept = readdirSync(join(repositoryRoot, 'docs/images')).map((name) => `docs/images/${name}`);
    expect([...new Set(shown)].sort()).toEqual(kept.sort());
    for (const path of kept) {
      expect(statSync(join(repositoryRoot, path)).size).toBeLessThan(150_000);
      expect(kept).toContain(path.replace('-light', '-dark'));
    }
  });
});

describe('CONTRIBUTING.md', () => {
  const text = documents.get('CONTRIBUTING.md')!;

  it('names files and folders that exist', () => {
    const named = [...text.matchAll(/`((?:src|test|docs|docker|scripts|models|\.ci)\/[^`\s]*)`/g)].map(
      ([, path]) => path!,
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((path) => !existsSync(join(repositoryRoot, path)))).toEqual([]);
  });

  it('names npm scripts that exist', () => {
    const named = [...text.matchAll(/`npm run ([\w:]+)`/g)].map(([, script]) => script!);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((script) => !(script in packageJson.scripts))).toEqual([]);
  });
});

describe('links', () => {
  /** Anchors of a document as GitHub makes them from its headings. */
  const anchorsOf = (text: string): Set<string> =>
    new Set(
      [...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} (.+)$/gm)].map((match) =>
        match[1]!
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      ),
    );

  it('of every document lead to files and headings that exist', () => {
    const links = mentions(/\]\((?!https?:)([^)\s]+)\)/g);
    const broken = links.filter(({ path, name }) => {
      const [file = '', anchor] = name.split('#');
      const target = file === '' ? path : join(path, '..', file);
      if (!existsSync(join(repositoryRoot, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).has(anchor);
    });
    expect(links.length).toBeGreaterThan(50);
    expect(broken).toEqual([]);
  });
});
