import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { decisionLimits } from '../../../src/core/decision.ts';
import { mostQuestions, systemOneBody, systemOneQuestion } from '../../../src/http/decisions/schema.ts';
import { decideBody, nativeQuestion } from '../../../src/http/native/decide/schema.ts';
import { decisionBody, ignoredFields, openaiQuestion } from '../../../src/http/openai/decisions/schema.ts';
import { repositoryRoot } from '../../support/server.ts';

const lines = readFileSync(join(repositoryRoot, 'docs/dialect-decisions.md'), 'utf8').split('\n');
const cellsOf = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
/** Rows of the table that begins with these cells. */
function tableFrom(...head: string[]): string[][] {
  const first = lines.findIndex((line) => head.every((cell, index) => cellsOf(line)[index] === cell));
  expect(first).toBeGreaterThan(-1);
  const rows = lines.slice(first + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map(cellsOf);
}

type Question = z.ZodDiscriminatedUnion<readonly z.ZodObject[]>;
const fieldsOf = (body: z.ZodObject, question: Question) => [
  ...Object.keys(body.shape),
  ...new Set(question.options.flatMap(({ shape }) => Object.keys(shape)).map((name) => `questions[].${name}`)),
];
/** `questions[].yes`, `.no` name two fields of a question. */
const namesOf = (cell: string) =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => (name.startsWith('.') ? `questions[]${name}` : name));

describe('docs/dialect-decisions.md', () => {
  it.each<[string, z.ZodObject, Question]>([
    ['/v1/decisions', decisionBody, openaiQuestion],
    ['/v1/systemone', systemOneBody, systemOneQuestion],
    ['/decide', decideBody, nativeQuestion],
  ])('has every field of %s, and none that there is not', (path, body, question) => {
    const rows = tableFrom('Field', 'Where').filter(
      ([, where = '']) => where === 'all' || where.includes(`\`${path}\``),
    );
    // What stands deeper in a question is told of with its parent.
    const told = rows.flatMap(([field = '']) => namesOf(field)).filter((name) => !/\]\..*\[\]/.test(name));
    expect([...new Set(told)].sort()).toEqual(fieldsOf(body, question).sort());
  });

  it('names as ignored what is', () => {
    const ignored = tableFrom('Field', 'Where').filter(([, , what = '']) => what.startsWith('ignored'));
    expect(ignored.flatMap(([field = '']) => namesOf(field)).sort()).toEqual([...ignoredFields].sort());
  });

  it('has the numbers of questions, options and levels that are kept to', () => {
    const text = tableFrom('', '`POST /v1/decisions`')
      .map((row) => row.join(' | '))
      .join('\n');
    const { questions, choices, levels } = decisionLimits;
    expect(text).toContain(`a list of 1 to ${questions}`);
    expect(text.split(`1 to ${mostQuestions}`)).toHaveLength(3);
    expect(text).toContain(`choice of ${choices.least} to ${choices.most}`);
    expect(text).toContain(`score of ${levels.least} to ${levels.most} levels`);
  });
});
