import { afterEach, describe, expect, it } from 'vitest';
import { cloudProvider, timedOut } from '../../support/cloud-provider.ts';
import { createHarness, type Harness } from '../harness.ts';

let harness: Harness;
afterEach(() => harness.close());

/** A service of which nothing is known until it was asked for its list. */
async function open(...others: ReturnType<typeof cloudProvider>[]) {
  let asked = 0;
  const service = cloudProvider('attic', ['attic-model']);
  const { nameOf, models } = service;
  Object.assign(service, {
    nameOf: (name: string) => (asked > 0 && !service.down ? nameOf(name) : null),
    models: async () => {
      asked++;
      return models(new AbortController().signal);
    },
  });
  harness = await createHarness({}, {}, [service, ...others]);
  return { service, asked: () => asked };
}
const generate = (model: string, headers: Record<string, string> = {}) =>
  harness.send('POST', '/generate', { prompt: 'Hi', model }, headers);

describe('a model that nobody is known to have', () => {
  it('is looked for at services that list their own, and then asked for there', async () => {
    const { asked } = await open();
    expect(await generate('attic-model')).toMatchObject({ statusCode: 200, headers: { 'x-provider-used': 'attic' } });
    expect(asked()).toBe(1);
    expect((await generate('attic-model')).statusCode).toBe(200);
    expect(asked()).toBe(1);
  });

  it('is none where they do not have it either, and they are not asked again for a minute', async () => {
    const { asked } = await open();
    for (let time = 0; time < 3; time++) await generate('nobody-has-it');
    expect(asked()).toBe(1);
  });

  it('is none where they do not answer', async () => {
    const { service } = await open();
    service.down = timedOut;
    const response = await generate('attic-model');
    expect(response.headers).not.toMatchObject({ 'x-provider-used': 'attic' });
  });

  it('is looked for nowhere where a service of the configuration has it', async () => {
    const { asked } = await open(cloudProvider('openai', ['attic-model']));
    expect((await generate('attic-model')).headers['x-provider-used']).toBe('openai');
    expect(asked()).toBe(0);
  });

  it.each<[string, string, Record<string, string>]>([
    ['it must stay here', 'attic-model', { 'x-cloud': 'never' }],
    ['it says whom to ask', 'attic-model', { 'x-provider': 'attic' }],
    ['its name says so', 'attic/attic-model', {}],
  ])('is looked for nowhere where %s', async (_title, model, headers) => {
    const { asked } = await open();
    await generate(model, headers);
    expect(asked()).toBe(0);
  });
});
