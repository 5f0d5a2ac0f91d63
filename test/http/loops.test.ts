import { afterEach, describe, expect, it } from 'vitest';
import type { CallContext } from '../../src/core/call.ts';
import type { Provider } from '../../src/core/provider.ts';
import { answerEvents } from '../support/fake-engine.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';
import { createHarness, type Harness } from './harness.ts';

let harness: Harness;
afterEach(() => harness.close());

const message = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
/** The harness has this id. */
const back = { 'x-hearth-via': 'that-one, this-one' };

describe('a request that has come back through another server', () => {
  it.each([
    ['/v1/chat/completions', message, (body: Body) => body.error.code, 'loop_detected'],
    ['/v1/messages', { ...message, max_tokens: 5 }, (body: Body) => body.error.details?.error_code, 'loop_detected'],
    ['/api/chat', message, (body: Body) => /come back/.test(body.error), true],
    ['/api/v1/generate', { model: 'm', prompt: 'Hi' }, (body: Body) => body.code, 'loop_detected'],
    ['/generate', { model: 'm', prompt: 'Hi' }, (body: Body) => body.error.code, 'LOOP_DETECTED'],
  ])('is refused at %s as the dialect words it, and asks nobody', async (path, body, read, expected) => {
    harness = await createHarness();
    const headers = path === '/v1/messages' ? { ...back, 'anthropic-version': '2026-10-21' } : back;
    const response = await harness.send('POST', path, body, headers);
    expect(response.statusCode).toBe(508);
    expect(response.headers['x-should-retry']).toBe('false');
    expect(read(response.json())).toBe(expected);
    expect(harness.gateway.calls).toEqual([]);
  });

  it('is one that was here: others pass, and tell whom they ask through whom they came', async () => {
    const contexts: CallContext[] = [];
    const provider: Provider = scriptedProvider([], {
      id: 'far',
      nameOf: (model) => (model === 'far-model' ? model : null),
      async *stream(_request, context) {
        contexts.push(context);
        yield* answerEvents(['Hi']);
      },
    });
    harness = await createHarness({}, {}, [provider]);
    const asked = { ...message, model: 'far-model' };
    const response = await harness.send('POST', '/v1/chat/completions', asked, { 'x-hearth-via': 'that-one' });
    expect(response.statusCode).toBe(200);
    expect(contexts[0]!.hops).toEqual(['that-one']);
  });
});

describe('the list of models', () => {
  it.each(['/v1/models', '/models'])('at %s has for another server those of this machine alone', async (path) => {
    const asked: string[] = [];
    const provider = scriptedProvider([], {
      id: 'far',
      async models() {
        asked.push('far');
        return [];
      },
    });
    harness = await createHarness({}, {}, [provider]);
    expect((await harness.send('GET', path, undefined, { 'x-hearth-via': 'that-one' })).statusCode).toBe(200);
    expect(asked).toEqual([]);
    await harness.send('GET', path);
    expect(asked).toEqual(['far']);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: bodies of answers, read by hand
type Body = any;
