import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  closureOf,
  findCycles,
  folderOf,
  importsAmongUs,
  isWithin,
  readImportGraph,
  targetOf,
  withoutComments,
} from './support/imports.ts';
import { repositoryRoot } from './support/server.ts';

const leaves = ['core', 'wire', 'config', 'observe', 'files'];

/**
 * What the files of a folder (or one file) may import of ours, beside their own folder. The longest matching entry
 * rules a file, so `providers/local` is not ruled by `providers`. Types count: a type is knowledge too.
 */
const mayImport: Record<string, string[]> = {
  core: [],
  wire: ['core'],
  config: ['core'],
  observe: ['core'],
  files: ['core'],
  ipc: ['core'],
  storage: leaves,
  accounting: [...leaves, 'storage'],
  auth: [...leaves, 'storage'],
  machine: ['core', 'observe', 'files', 'ipc'],
  store: leaves,
  doctor: [...leaves, 'ipc', 'machine'],
  engine: [...leaves, 'ipc', 'machine', 'store'],
  worker: ['core', 'ipc'],
  // The registry hands the engine to the local provider; no other provider sees it.
  providers: [...leaves, 'providers/*', 'engine/engine.ts'],
  'providers/*': [...leaves, 'providers/messages'],
  'providers/messages': leaves,
  'providers/local': ['core', 'engine/engine.ts'],
  gateway: ['core', 'config', 'observe', 'storage', 'accounting'],
  jobs: ['core', 'wire', 'config', 'observe', 'storage', 'gateway'],
  http: [...leaves, 'auth', 'accounting', 'jobs', 'gateway', 'engine/engine.ts'],
  'app.ts': ['*'],
  'main.ts': [...leaves, 'app.ts', 'cli'],
  cli: [...leaves, 'app.ts', 'doctor'],
};

const sourceFolder = join(repositoryRoot, 'src');
const graph = readImportGraph(sourceFolder);
const files = [...graph.keys()];
const imports = importsAmongUs(graph);

/**
 * A folder is entered by its face, the file of its own name (`store/hub/hub.ts`). These are collections instead: each
 * file has a subject of its own, and no file speaks for the others. `app.ts` puts everything together and may enter any.
 */
const plainCollections = [
  'accounting',
  'auth',
  'config',
  'core',
  'files',
  'ipc',
  'machine',
  'machine/gpu',
  'observe',
  'providers/messages',
  'wire',
  'http/fields',
  'http/mount',
  'http/anthropic/objects',
  'http/ollama/objects',
  'http/openai/objects',
  'http/plugins',
];

/** The entry of the table that rules a file: `src/providers/local/local.ts` has `providers/local`. */
function ruleOf(file: string): string | null {
  const parts = file.split('/');
  for (let length = parts.length; length > 0; length--) {
    const prefix = parts.slice(0, length).join('/');
    if (prefix in mayImport) return prefix;
    if (length === 2 && parts[0] === 'providers' && parts.length > 2) return 'providers/*';
  }
  return null;
}

/** Whether the table lets `file` import `target`. */
function isAllowed(file: string, target: string): boolean {
  const rule = ruleOf(file);
  const targetRule = ruleOf(target);
  if (rule === null || targetRule === null) return false;
  const allowed = mayImport[rule]!;
  if (allowed.includes('*') || allowed.includes(target) || allowed.includes(targetRule)) return true;
  const isProvider = (name: string) => name.startsWith('providers/');
  if (isProvider(targetRule) && allowed.includes('providers/*')) return true;
  // Two providers may share the entry `providers/*` and still not see each other.
  if (rule === 'providers/*') return file.split('/')[1] === target.split('/')[1] && isProvider(target);
  return rule === targetRule;
}

/** The files whose code, comments aside, matches. */
function filesWith(pattern: RegExp): string[] {
  return files.filter((file) => pattern.test(withoutComments(readFileSync(join(sourceFolder, file), 'utf8'))));
}

function importersOf(packageName: string): string[] {
  const isOf = (specifier: string) => specifier === packageName || specifier.startsWith(`${packageName}/`);
  return files.filter((file) => graph.get(file)!.some((found) => isOf(found.specifier)));
}

describe('the import table', () => {
  it.each([
    ['http/openai/openai.ts', 'core/chat.ts', true],
    ['http/openai/openai.ts', 'engine/engine.ts', true],
    ['http/openai/openai.ts', 'engine/residents/manager.ts', false],
    ['http/openai/openai.ts', 'providers/local/local.ts', false],
    ['core/chat.ts', 'config/schema.ts', false],
    ['engine/residents/manager.ts', 'ipc/channel.ts', true],
    ['engine/residents/manager.ts', 'worker/main.ts', false],
    ['store/store.ts', 'engine/memory/plan.ts', false],
    ['machine/memory.ts', 'engine/engine.ts', false],
    ['worker/main.ts', 'machine/cores.ts', false],
    ['worker/main.ts', 'config/schema.ts', false],
    ['providers/local/local.ts', 'engine/engine.ts', true],
    ['providers/anthropic/anthropic.ts', 'engine/engine.ts', false],
    ['providers/anthropic/anthropic.ts', 'providers/anthropic/errors.ts', true],
    ['providers/anthropic/anthropic.ts', 'providers/bedrock/errors.ts', false],
    ['providers/registry.ts', 'providers/bedrock/bedrock.ts', true],
    ['gateway/gateway.ts', 'providers/registry.ts', false],
    ['main.ts', 'app.ts', true],
    ['main.ts', 'http/server.ts', false],
    ['app.ts', 'providers/local/local.ts', true],
    ['unknown/file.ts', 'core/chat.ts', false],
  ])('%s importing %s: %s', (file, target, expected) => {
    expect(isAllowed(file, target)).toBe(expected);
  });
});

describe('documents', () => {
  /** Of the table, what is there already: rooms that are yet to come have no files. */
  const isThere = (name: string) =>
    name.includes('*') || files.some((file) => file === name || file.startsWith(`${name}/`));
  /** Room of a file as pictures have it. */
  const roomOf = (file: string) =>
    file.startsWith('providers/') && file.split('/').length > 2
      ? file.split('/').slice(0, 2).join('/')
      : file.split('/')[0]!;

  it('have the table in src/README.md', () => {
    const inReadme = [
      ...readFileSync(join(sourceFolder, 'README.md'), 'utf8').matchAll(/^\| `([^`]+)` \|.*\|(.*)\|$/gm),
    ].map(([, room, allowed]) => [
      room!.replace(/\/$/, ''),
      [...allowed!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!).sort(),
    ]);
    const inCode = Object.entries(mayImport)
      .filter(([room]) => isThere(room))
      .map(([room, allowed]) => [room, allowed.filter(isThere).sort()]);
    expect(inReadme.sort()).toEqual(inCode.sort());
  });

  const architecture = readFileSync(join(repositoryRoot, 'docs/architecture.md'), 'utf8');

  it('have a picture with the imports between the rooms above the leaves', () => {
    const picture = /^```mermaid\n([\s\S]*?)^```/m.exec(architecture)![1]!;
    const nameOf = new Map([...picture.matchAll(/(\w+)\[([^\]:]+)/g)].map(([, id, name]) => [id!, name!]));
    const drawn = [...picture.matchAll(/^ *(\w+)(?:\[[^\]]*\])? --> (\w+)/gm)].map(
      ([, from, to]) => `${nameOf.get(from!) ?? from} --> ${nameOf.get(to!) ?? to}`,
    );
    const inCode = files.flatMap((file) =>
      graph.get(file)!.flatMap(({ specifier }) => {
        const target = targetOf(file, specifier);
        if (target === null) return [];
        const [from, to] = [roomOf(file), roomOf(target)];
        return from === to || [from, to].some((room) => leaves.includes(room)) ? [] : [`${from} --> ${to}`];
      }),
    );
    expect(drawn.sort()).toEqual([...new Set(inCode)].sort());
  });

  it('walk a request through functions that stand in the files that are named', () => {
    const steps = [...architecture.matchAll(/^\| \d+ \| `([^`]+)` \| ([^|]+) \|/gm)];
    const lost = steps.flatMap(([, file, names]) => {
      if (!files.includes(file!)) return [`${file} is not there`];
      const source = readFileSync(join(sourceFolder, file!), 'utf8');
      return [...names!.matchAll(/`([^`]+)`/g)]
        .map((match) => match[1]!)
        .filter((name) => !new RegExp(`\\b${name}\\b`).test(source))
        .map((name) => `${file} has no ${name}`);
    });
    expect(steps.length).toBeGreaterThan(15);
    expect(lost).toEqual([]);
  });
});

describe('src', () => {
  it('has no file outside the folders of the table', () => {
    expect(files.filter((file) => ruleOf(file) === null)).toEqual([]);
  });

  it('imports only what the table allows', () => {
    const broken = imports.filter(({ file, target }) => !isAllowed(file, target));
    expect(broken).toEqual([]);
  });

  it('has no import cycle, not even of types', () => {
    expect(findCycles(graph)).toEqual([]);
  });

  it('has no child that imports a file of its parent', () => {
    const broken = imports.filter(({ file, target }) => {
      const parent = folderOf(target);
      return parent !== '' && parent !== folderOf(file) && isWithin(file, parent);
    });
    expect(broken).toEqual([]);
  });

  it('enters a folder by its face', () => {
    const entered = imports.filter(({ file, target }) => {
      const folder = folderOf(target);
      const face = `${folder}/${folder.split('/').at(-1)}.ts`;
      return file !== 'app.ts' && !isWithin(file, folder) && !plainCollections.includes(folder) && target !== face;
    });
    expect(entered).toEqual([]);
  });

  it('has the collections that the list names', () => {
    const folders = new Set(files.map(folderOf));
    expect(plainCollections.filter((folder) => !folders.has(folder))).toEqual([]);
  });

  it('names every import by a literal, so that this test sees it', () => {
    expect(filesWith(/\bimport\(\s*(?!['"])|\brequire\s*\(|\bcreateRequire\b/)).toEqual([]);
  });

  it('touches node-llama-cpp only in worker/llama, types included', () => {
    const importers = importersOf('node-llama-cpp');
    expect(importers).not.toEqual([]);
    expect(importers.filter((file) => !file.startsWith('worker/llama/'))).toEqual([]);
  });

  it('never loads node-llama-cpp or the worker into the server process', () => {
    const closure = closureOf(graph, 'main.ts');
    // Were the walk broken, it would not get as far as these two.
    expect([...closure.packages]).toContain('fastify');
    expect([...closure.files]).toContain('http/server.ts');
    expect([...closure.packages].filter((name) => name.startsWith('node-llama-cpp'))).toEqual([]);
    expect([...closure.files].filter((file) => file.startsWith('worker/'))).toEqual([]);
  });

  it('imports prom-client in the list of metrics only', () => {
    expect(importersOf('prom-client')).toEqual(['observe/metrics.ts']);
  });

  it('reads the environment in config/env.ts; main.ts hands it over', () => {
    const readers = filesWith(/\bprocess\.env\b|\bimport\b[^;]*\benv\b[^;]*from 'node:process'/);
    const known = ['config/env.ts', 'main.ts'];
    expect(readers.filter((file) => !known.includes(file))).toEqual([]);
  });
});
