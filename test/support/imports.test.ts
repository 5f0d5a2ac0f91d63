import { describe, expect, it } from 'vitest';
import { closureOf, findCycles, type Import, type ImportGraph, importsOf } from './imports.ts';

const value = (specifier: string): Import => ({ specifier, typeOnly: false });
const type = (specifier: string): Import => ({ specifier, typeOnly: true });
const graph = (files: Record<string, Import[]>): ImportGraph => new Map(Object.entries(files));

describe('importsOf', () => {
  it.each([
    ["import a from 'a';", [value('a')]],
    ["import { a, type B } from './a.ts';", [value('./a.ts')]],
    ["import {\n  a,\n  b,\n} from 'a';", [value('a')]],
    ["import * as a from 'a';", [value('a')]],
    ["import 'a';", [value('a')]],
    ["import type { A } from 'a';", [type('a')]],
    ["import type A from 'a';", [type('a')]],
    ["import type from 'a';", [value('a')]],
    ["export { a } from 'a';", [value('a')]],
    ["export * from 'a';", [value('a')]],
    ["export type { A } from 'a';", [type('a')]],
    ["const a = await import('a');", [value('a')]],
    ["type A = typeof import('a');", [type('a')]],
    ["let a: import('a').Name;", [type('a')]],
    ["import('a').then(run);", [value('a')]],
  ])('reads %j', (source, expected) => {
    expect(importsOf(source)).toEqual(expected);
  });

  it.each([
    ["// import a from 'a';"],
    ["/**\n * import a from 'a';\n */"],
    ["export const a = 'from';\nconst b = 'b';"],
    ["export type A = { from: 'a' };"],
  ])('sees no import in %j', (source) => {
    expect(importsOf(source)).toEqual([]);
  });

  it('keeps two imports in a row apart', () => {
    expect(importsOf("import 'a';\nimport type { B } from 'b';\nexport type C = 1;\nimport c from 'c';")).toEqual([
      value('a'),
      type('b'),
      value('c'),
    ]);
  });
});

describe('findCycles', () => {
  it('names the files of each cycle, those that are types only included', () => {
    const files = graph({
      'a.ts': [value('./x/b.ts')],
      'x/b.ts': [value('../c.ts')],
      'c.ts': [value('./x/b.ts'), value('./d.ts')],
      'd.ts': [value('./e.ts')],
      'e.ts': [value('./f.ts')],
      'f.ts': [type('./d.ts')],
      'g.ts': [type('./g.ts')],
    });
    expect(findCycles(files)).toEqual([['d.ts', 'e.ts', 'f.ts'], ['c.ts', 'x/b.ts'], ['g.ts']]);
  });

  it('finds none where a file is only reached twice', () => {
    const files = graph({
      'a.ts': [value('./b.ts'), value('./c.ts')],
      'b.ts': [value('./c.ts')],
      'c.ts': [type('p'), type('./not-there.ts')],
    });
    expect(findCycles(files)).toEqual([]);
  });
});

describe('closureOf', () => {
  it('follows value imports to files and packages, and not types', () => {
    const files = graph({
      'a.ts': [value('./b.ts'), type('t')],
      'b.ts': [value('p'), type('./c.ts')],
      'c.ts': [value('q')],
    });
    const closure = closureOf(files, 'a.ts');
    expect([...closure.files]).toEqual(['a.ts', 'b.ts']);
    expect([...closure.packages]).toEqual(['p']);
  });
});
