import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { snakeCaseSchema, toSnakeCase } from '../../src/wire/snake-case.ts';

const ours = z.object({
  id: z.string().meta({ description: 'Who it is.' }),
  totalBytes: z.int().min(0),
  files: z.array(z.object({ sizeBytes: z.int().nullable() })).meta({ description: 'In order.' }),
  plan: z.object({ neededBytes: z.int() }).nullable().meta({ description: 'Memory.' }),
  startedAt: z.date(),
  finishedAt: z.date().nullable(),
});
const value = {
  id: 'a',
  totalBytes: 3,
  files: [{ sizeBytes: 3 }, { sizeBytes: null }],
  plan: { neededBytes: 7 },
  startedAt: new Date('2026-02-03T04:05:06.789Z'),
  finishedAt: null,
};

describe('names on the wire', () => {
  it('are those of ours in snake case, in objects and lists, with times as text', () => {
    const wire = toSnakeCase(value);
    expect(wire).toEqual({
      id: 'a',
      total_bytes: 3,
      files: [{ size_bytes: 3 }, { size_bytes: null }],
      plan: { needed_bytes: 7 },
      started_at: '2026-02-03T04:05:06.789Z',
      finished_at: null,
    });
    expect(snakeCaseSchema(ours).parse(wire)).toEqual(wire);
  });

  it('have a schema that refuses what the schema of ours refuses', () => {
    const wire = snakeCaseSchema(ours);
    expect(wire.safeParse({ ...toSnakeCase(value), total_bytes: -1 }).success).toBe(false);
    expect(wire.safeParse({ ...toSnakeCase(value), files: [{ size_bytes: 'many' }] }).success).toBe(false);
    expect(wire.safeParse(value).success).toBe(false);
  });

  it('are described as ours are', () => {
    expect(z.toJSONSchema(snakeCaseSchema(ours))).toMatchObject({
      properties: {
        id: { description: 'Who it is.' },
        files: { description: 'In order.' },
        plan: { description: 'Memory.' },
        started_at: { type: 'string', description: 'ISO 8601, UTC' },
      },
    });
  });
});
