import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { addIgnored, namesIgnored } from '../../../src/http/answer/ignored.ts';

const schema = z.object({
  model: z.string().optional(),
  user: z.string().nullish(),
  tools: z.array(z.unknown()).nullish(),
});

async function ignoredOf(body: unknown): Promise<unknown> {
  const app = fastify();
  app.post('/', { preValidation: namesIgnored(schema, ['user']) }, async (request, reply) => {
    const { tools } = schema.catch({}).parse(request.body);
    addIgnored(reply, (tools ?? []).length > 0 ? ['tools.cache_control', 'tools.cache_control'] : []);
    return {};
  });
  const { headers } = await app.inject({
    method: 'POST',
    url: '/',
    payload: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
  await app.close();
  return headers['x-hearth-ignored'];
}

describe('x-hearth-ignored', () => {
  it('names what the schema drops and what it knows and does not use, each once', async () => {
    expect(await ignoredOf({ model: 'm', user: 'u', new_field: 1, tools: [{}] })).toBe(
      'user, new_field, tools.cache_control',
    );
  });

  it('is not there when nothing was ignored; null is absent', async () => {
    expect(await ignoredOf({ model: 'm', user: null, other: null })).toBeUndefined();
  });

  it('holds any name, and not any number of them', async () => {
    expect(await ignoredOf({ 'a b, ü\r\n': 1 })).toBe('a%20b%2C%20%C3%BC%0D%0A');
    expect(await ignoredOf({ ['x'.repeat(500)]: 1 })).toBe('x'.repeat(64));
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`f${index}`, 1]));
    expect(String(await ignoredOf(many)).split(', ')).toHaveLength(32);
    expect(await ignoredOf([1])).toBeUndefined();
  });
});
