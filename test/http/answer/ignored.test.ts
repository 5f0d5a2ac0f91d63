import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { addIgnored, namesIgnored } from '../../../src/http/answer/ignored.ts';
import { requestValidator } from '../../../src/http/fields/validation.ts';
import { addDroppedFields } from '../../../src/http/plugins/dropped-fields.ts';

const schema = z.object({
  model: z.string().optional(),
  user: z.string().nullish(),
  tools: z.array(z.object({ name: z.string().optional(), cache_control: z.unknown().optional() })).nullish(),
  content: z
    .union([z.string(), z.array(z.looseObject({ source: z.object({ type: z.string() }).optional() }))])
    .nullish(),
  labels: z.record(z.string(), z.unknown()).nullish(),
});

async function ignoredOf(body: unknown): Promise<unknown> {
  const app = fastify();
  app.setValidatorCompiler(requestValidator as never);
  addDroppedFields(app);
  app.post('/', { schema: { body: schema }, preHandler: namesIgnored(['user']) }, async (request, reply) => {
    const { tools } = request.body as z.infer<typeof schema>;
    addIgnored(
      reply,
      (tools ?? []).flatMap((tool) => (tool.cache_control ? ['tools.cache_control'] : [])),
    );
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
    const tool = { cache_control: {} };
    expect(await ignoredOf({ model: 'm', user: 'u', new_field: 1, tools: [tool, tool] })).toBe(
      'new_field, user, tools.cache_control',
    );
  });

  it('names what is dropped further down, without the places in lists', async () => {
    const body = {
      tools: [
        { name: 'a' },
        { name: 'b', of_tomorrow: false, nothing: null },
        { of_tomorrow: 1, second: [0], empty: [] },
      ],
      content: [{ text: 'kept', source: { type: 'x', of_tomorrow: {} } }],
      labels: { any: { thing: 1 } },
    };
    expect(await ignoredOf(body)).toBe('tools.of_tomorrow, tools.second, content.source.of_tomorrow');
    expect(await ignoredOf({ content: 'a text' })).toBeUndefined();
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
