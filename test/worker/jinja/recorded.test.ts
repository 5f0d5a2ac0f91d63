import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTemplate, JinjaError } from '../../../src/worker/jinja/jinja.ts';
import { repositoryRoot } from '../../support/server.ts';

interface Case {
  template: string;
  context?: Record<string, unknown>;
  /** What Jinja2 itself makes of it: a text, or an error of this kind. */
  text?: string;
  error?: string;
}

const cases = readFileSync(join(repositoryRoot, 'test/fixtures/jinja/cases.jsonl'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line): Case => JSON.parse(line));

const noon = new Date('2026-11-28T12:00:00');

describe('templates as Jinja2 itself renders them', () => {
  it('are many', () => {
    expect(cases.length).toBeGreaterThan(700);
  });

  it.each(cases.map((row) => [row.template, row] as const))('%s', (_template, { template, context, text, error }) => {
    const render = () => createTemplate(template).render(context ?? {}, { now: noon });
    if (text !== undefined) expect(render()).toBe(text);
    else expect(render, `Jinja2 fails: ${error}`).toThrow(JinjaError);
  });
});
