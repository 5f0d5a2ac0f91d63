import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { abortable } from '../../../src/core/abortable.ts';
import { allRights } from '../../../src/core/call.ts';
import { finishEvent, startEvent, textEvents } from '../../support/fake-engine.ts';
import { createHarness, type Harness } from '../harness.ts';

const admin = { 'x-api-key': 'secret-key' };
let harness: Harness;
let kitchen: Record<string, string>;
let cellar: Record<string, string>;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
  const make = async (name: string) => {
    const { key } = await harness.keyring.create({ ...allRights, name, scopes: ['inference'], expiresAt: null });
    return { 'x-api-key': key };
  };
  [kitchen, cellar] = [await make('kitchen'), await make('cellar')];
});
afterEach(() => harness.close());

/** Says a word and then nothing, until it is ended. */
function playEndless(): void {
  harness.gateway.play(async function* (_request, signal) {
    yield startEvent();
    yield* textEvents(['Hello'], 0).slice(0, 2);
    await abortable(signal, () => () => {});
    yield finishEvent(1);
  });
}

const ask = (id: string, headers: Record<string, string>) =>
  harness.send('POST', '/generate', { prompt: 'Hi' }, { ...headers, 'x-request-id': id });
const live = async (headers: Record<string, string>, url = '/requests') =>
  (await harness.send('GET', url, undefined, headers)).json().requests;
const cancel = (id: string, headers: Record<string, string>) =>
  harness.send('POST', `/api/v1/status/${id}/cancel`, undefined, headers);
const untilRunning = async (count: number) => {
  await harness.gateway.call(count - 1);
  while ((await live(admin)).filter(({ status }: { status: string }) => status === 'running').length < count);
};

describe('GET /requests', () => {
  it.each(['/requests', '/api/v1/requests'])('at %s shows each key its own, and administrators all', async (url) => {
    playEndless();
    const answers = [ask('req_a', kitchen), ask('req_b', cellar)];
    await untilRunning(2);
    harness.clock.advance(1_500);
    const mine = await live(kitchen, url);
    expect(mine).toEqual([
      {
        request_id: 'req_a',
        key: 'kitchen',
        operation: 'generate',
        model: 'tiny',
        provider: 'local',
        status: 'running',
        created_at: '2026-03-04T05:06:07.089Z',
        elapsed_ms: 1_500,
        stage: null,
        place: null,
        estimate_ms: null,
        prompt_progress: null,
        prompt_tokens: 5,
        output_tokens: 2,
      },
    ]);
    expect(JSON.stringify(await live(admin, url))).not.toContain('Hello');
    expect((await live(admin, url)).map(({ key }: { key: string }) => key)).toEqual(['kitchen', 'cellar']);
    for (const id of ['req_a', 'req_b']) await cancel(id, admin);
    await Promise.all(answers);
    expect(await live(admin, url)).toEqual([]);
  });

  it('shows the place of who waits', async () => {
    harness.gateway.play(async function* (_request, signal) {
      yield { type: 'progress', stage: 'queued', place: 3, estimateMs: 1_234.5 };
      await abortable(signal, () => () => {});
      yield startEvent();
    });
    const answer = ask('req_a', kitchen);
    await harness.gateway.call(0);
    expect((await live(kitchen))[0]).toMatchObject({ status: 'queued', stage: 'queued', place: 3, estimate_ms: 1_235 });
    await cancel('req_a', kitchen);
    expect((await answer).statusCode).toBe(499);
  });
});

describe('POST /status/{request_id}/cancel', () => {
  it('ends a request, whose client is told', async () => {
    playEndless();
    const answer = ask('req_a', kitchen);
    await untilRunning(1);
    const cancelled = await cancel('req_a', kitchen);
    expect([cancelled.statusCode, cancelled.json()]).toMatchObject([200, { request_id: 'req_a', status: 'failed' }]);
    expect((await answer).json().error).toMatchObject({
      code: 'CLIENT_CLOSED_REQUEST',
      message: 'The request was cancelled.',
    });
    await (await harness.gateway.call(0)).released;
    expect((await harness.send('GET', '/status/req_a', undefined, kitchen)).json()).toMatchObject({ status: 'failed' });
  });

  it('leaves one that has ended as it is', async () => {
    await ask('req_a', kitchen);
    expect((await cancel('req_a', kitchen)).json()).toMatchObject({ status: 'done', completed_at: expect.any(String) });
  });

  it('says of those of others what it says of those that never were', async () => {
    playEndless();
    const answer = ask('req_a', kitchen);
    await untilRunning(1);
    const withoutId = (body: object) => ({ ...body, request_id: '' });
    const [foreign, unknown] = [await cancel('req_a', cellar), await cancel('req_x', cellar)];
    expect([foreign.statusCode, withoutId(foreign.json())]).toEqual([404, withoutId(unknown.json())]);
    const [status, absent] = await Promise.all(
      ['req_a', 'req_x'].map((id) => harness.send('GET', `/api/v1/status/${id}`, undefined, cellar)),
    );
    expect([status!.statusCode, withoutId(status!.json())]).toEqual([404, withoutId(absent!.json())]);
    expect(await live(kitchen)).toHaveLength(1);
    expect((await cancel('req_a', admin)).statusCode).toBe(200);
    await answer;
  });
});
