import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/core/errors.ts';
import type { ModelInfo } from '../../src/core/model.ts';
import { createModelLists, mergeModels } from '../../src/gateway/model-lists.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedProvider } from '../support/scripted-provider.ts';

const model = (id: string, provider = 'openai') => ({ id, provider }) as ModelInfo;
const { signal } = new AbortController();

function setup(answers: (() => Promise<ModelInfo[]>)[], id = 'openai') {
  const clock = manualClock();
  let asked = 0;
  const signals: AbortSignal[] = [];
  const provider = scriptedProvider([], {
    id,
    models: (own) => {
      signals.push(own);
      return answers[Math.min(asked++, answers.length - 1)]!();
    },
  });
  const listOf = createModelLists({ clock });
  return { clock, signals, list: (own = signal) => listOf(provider, own), asked: () => asked };
}
const never = () => new Promise<ModelInfo[]>(() => {});
const down = () => Promise.reject(new AppError('upstream_unavailable', 'down'));

describe('the models of a service', () => {
  it('are asked for once a minute at most', async () => {
    const { clock, list, asked } = setup([async () => [model('a')], async () => [model('b')]]);
    expect(await list()).toEqual([model('a')]);
    clock.advance(59_000);
    expect(await list()).toEqual([model('a')]);
    clock.advance(1_000);
    expect(await list()).toEqual([model('b')]);
    expect(asked()).toBe(2);
  });

  it('stay as they were last told while it is down, and it is not asked by everybody', async () => {
    const { clock, list, asked } = setup([async () => [model('a')], down]);
    await list();
    clock.advance(60_000);
    expect(await list()).toEqual([model('a')]);
    expect(await list()).toEqual([model('a')]);
    expect(asked()).toBe(2);
  });

  it('delay nobody for longer than two seconds, and are there for the next who asks', async () => {
    const { promise, resolve } = Promise.withResolvers<ModelInfo[]>();
    const { clock, list, asked } = setup([() => promise]);
    const first = list();
    clock.advance(2_000);
    await expect(first).rejects.toMatchObject({ code: 'upstream_timeout' });
    const second = list();
    resolve([model('a')]);
    expect(await second).toEqual([model('a')]);
    expect(asked()).toBe(1);
  });

  it('are given up by the service after twenty seconds, not when a client goes', async () => {
    const { clock, list, signals } = setup([never]);
    const gone = new AbortController();
    const left = list(gone.signal);
    gone.abort(new AppError('client_closed_request', 'gone'));
    await expect(left).rejects.toMatchObject({ code: 'client_closed_request' });
    expect(signals[0]!.aborted).toBe(false);
    clock.advance(20_000);
    expect(signals[0]!.aborted).toBe(true);
  });

  it('of this machine are never old', async () => {
    const { list, asked } = setup([async () => [model('a', 'local')]], 'local');
    await list();
    await list();
    expect(asked()).toBe(2);
  });
});

describe('lists as one', () => {
  it('keep every name single: whose name is taken is named with its provider', () => {
    const lists = [[model('qwen', 'local')], [model('gpt-4o'), model('qwen')], [model('gpt-4o', 'azure')]];
    expect(mergeModels(lists).map(({ id }) => id)).toEqual(['qwen', 'gpt-4o', 'openai/qwen', 'azure/gpt-4o']);
    expect(mergeModels([[model('a'), model('a'), model('a')]]).map(({ id }) => id)).toEqual(['a', 'openai/a']);
  });
});
