import type { LlamaContext, LlamaContextSequence, SequenceEvaluateOptions, Token } from 'node-llama-cpp';
import { describe, expect, it } from 'vitest';
import type { SamplingWatch } from '../../../src/worker/llama/internals.ts';
import { findStepDriver, type InOrder, type StepDriver } from '../../../src/worker/llama/internals-step.ts';
import { settle } from '../../support/fake-worker.ts';

/** A context with the members that a step uses, which writes down what is asked of it. */
function fakeContext(slots = 2) {
  const calls: string[] = [];
  const configs: object[] = [];
  let rows = 0;
  const native = {
    failure: null as Error | null,
    chosen: [] as number[],
    decoded: Promise.resolve(),
    initBatch(tokens: number) {
      rows = 0;
      calls.push(`batch of ${tokens}`);
    },
    addToBatch(id: number, first: number, tokens: Uint32Array, wanted: Uint32Array) {
      rows += tokens.length;
      calls.push(`sequence ${id} at ${first}: ${tokens.join(' ')}`);
      return wanted.map((row) => rows - tokens.length + row);
    },
    setThreads(threads: number) {
      calls.push(`${threads} threads`);
    },
    async decodeBatch() {
      calls.push('decode');
      await native.decoded;
      if (native.failure) throw native.failure;
    },
    async sampleToken(row: number) {
      calls.push(`choose at ${row}`);
      return native.chosen.shift() ?? 100 + row;
    },
  };
  class AddonSampler {
    applyConfig(config: object) {
      configs.push(config);
    }
    dispose() {
      calls.push('dispose');
    }
  }
  const llama = { maxThreads: 2, _bindings: { AddonSampler } };
  const context = {
    _ctx: native,
    contextSize: 32,
    batchSize: 16,
    model: { llama, _model: {} },
    async _decodeTokens(
      part: { sequenceId: number; tokens: number[]; evaluationPriority: number },
      mapLogits: (row: number) => Promise<number>,
    ) {
      calls.push(`queue ${part.sequenceId} as ${part.evaluationPriority}: ${part.tokens.join(' ')}`);
      await Promise.resolve();
      return [[part.tokens.length - 1, await mapLogits(part.sequenceId)]];
    },
  };
  const sequences = Array.from({ length: slots }, (_, id) => ({
    _sequenceId: id,
    _nextTokenIndex: 0,
    _contextTokens: [] as number[],
    _loadedTokenPredictions: [] as unknown[],
    _resolveSamplerConfig: (options: object) => ({ ...options }),
    tokenMeter: {},
  }));
  return { calls, configs, native, llama, context, sequences };
}

function driverOf({ context, sequences }: ReturnType<typeof fakeContext>, inOrder: InOrder = () => null): StepDriver {
  const driver = findStepDriver({
    context: context as unknown as LlamaContext,
    sequences: sequences as unknown as readonly LlamaContextSequence[],
    inOrder,
  });
  if (driver === null) throw new Error('the fake lacks something');
  return driver;
}

/** What asks for the next token of a sequence, each with a sampler of its own. */
function chooserOf(fake: ReturnType<typeof fakeContext>, driver: StepDriver, options: SequenceEvaluateOptions = {}) {
  const samplers = fake.sequences.map((sequence) =>
    driver.newSampler(sequence as unknown as LlamaContextSequence, options),
  );
  return (slot: number, tokens: number[], watch: SamplingWatch = { expect: () => {}, takeFault: () => null }) =>
    driver.choose({
      llamaSequence: fake.sequences[slot] as unknown as LlamaContextSequence,
      slot,
      tokens: tokens as Token[],
      sampler: samplers[slot]!,
      watch,
    });
}

describe('a step on the native context', () => {
  it('is one decode call for all that was asked for in one tick, and moves each sequence on', async () => {
    const fake = fakeContext();
    const choose = chooserOf(fake, driverOf(fake));
    const watched: number[] = [];
    const tokens = await Promise.all([
      choose(0, [5, 6, 7], { expect: (row) => watched.push(row), takeFault: () => null }),
      choose(1, [9]),
    ]);
    expect(fake.calls).toEqual([
      'batch of 4',
      'sequence 0 at 0: 5 6 7',
      'sequence 1 at 0: 9',
      '2 threads',
      'decode',
      'choose at 2',
      'choose at 3',
    ]);
    expect(tokens).toEqual([102, 103]);
    expect(watched).toEqual([2]);
    fake.calls.length = 0;
    fake.llama.maxThreads = 1;
    await choose(0, [102]);
    expect(fake.calls).toEqual(['batch of 1', 'sequence 0 at 3: 102', '1 threads', 'decode', 'choose at 0']);
    expect(fake.sequences.map(({ _contextTokens }) => _contextTokens)).toEqual([[5, 6, 7, 102], [9]]);
    expect(fake.sequences.map(({ _nextTokenIndex }) => _nextTokenIndex)).toEqual([4, 1]);
  });

  it('shares the call of the library when that evaluates something in the same tick, and not in the next one', async () => {
    const fake = fakeContext();
    const driver = driverOf(fake);
    const choose = chooserOf(fake, driver);
    const first = choose(0, [5, 6]);
    driver.joinLibrary();
    expect(await Promise.all([first, choose(1, [7])])).toEqual([100, 101]);
    expect(fake.calls).toEqual(['queue 0 as 0: 5 6', 'queue 1 as 1: 7', 'choose at 0', 'choose at 1']);
    expect(fake.sequences.map(({ _contextTokens }) => _contextTokens)).toEqual([[5, 6], [7]]);
    fake.calls.length = 0;
    driver.joinLibrary();
    await Promise.resolve();
    await choose(0, [100]);
    expect(fake.calls).toContain('decode');
  });

  it('is left to the library when it is more than one call may hold', async () => {
    const fake = fakeContext();
    const choose = chooserOf(fake, driverOf(fake));
    await Promise.all([
      choose(
        0,
        Array.from({ length: 16 }, () => 1),
      ),
      choose(1, [2]),
    ]);
    expect(fake.calls).not.toContain('decode');
    expect(fake.calls.filter((call) => call.startsWith('queue'))).toHaveLength(2);
  });

  it('that fails tells everybody why, and moves nobody on', async () => {
    const fake = fakeContext();
    const choose = chooserOf(fake, driverOf(fake));
    fake.native.failure = new Error('Eval has failed');
    const outcomes = await Promise.allSettled([choose(0, [5]), choose(1, [6])]);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual([
      fake.native.failure,
      fake.native.failure,
    ]);
    expect(fake.sequences.map(({ _nextTokenIndex }) => _nextTokenIndex)).toEqual([0, 0]);
  });

  it('chooses right behind the decode call where calls run in order, and never with a grammar, whose state would move', async () => {
    const atOnce: InOrder = (work) => work();
    for (const [options, early] of [
      [{}, ['choose at 0', 'choose at 1']],
      [{ grammarEvaluationState: () => undefined }, []],
    ] as [SequenceEvaluateOptions, string[]][]) {
      const fake = fakeContext();
      const choose = chooserOf(fake, driverOf(fake, atOnce), options);
      const { promise, resolve } = Promise.withResolvers<void>();
      fake.native.decoded = promise;
      const tokens = Promise.all([choose(0, [5]), choose(1, [6])]);
      await settle();
      expect(fake.calls.filter((call) => call.startsWith('choose'))).toEqual(early);
      expect(fake.sequences.map(({ _nextTokenIndex }) => _nextTokenIndex)).toEqual([0, 0]);
      resolve();
      expect(await tokens).toEqual([100, 101]);
      expect(fake.sequences.map(({ _contextTokens }) => _contextTokens)).toEqual([[5], [6]]);
    }
  });

  it('chooses anew when the order was lost, and forgets what was found out of order', async () => {
    const fake = fakeContext();
    const lost: InOrder = (work) => work().then(() => null);
    const faults = ['no-score'];
    const watch: SamplingWatch = {
      expect: () => {},
      takeFault() {
        faults.pop();
        return null;
      },
    };
    fake.native.chosen = [7, 42];
    expect(await chooserOf(fake, driverOf(fake, lost))(0, [5], watch)).toBe(42);
    expect([faults, fake.sequences[0]!._contextTokens]).toEqual([[], [5]]);
  });

  it('that fails in order says so, and not what was found in scores that were never computed', async () => {
    const fake = fakeContext();
    const faults = ['not-finite'];
    const watch: SamplingWatch = {
      expect: () => {},
      takeFault() {
        faults.pop();
        return null;
      },
    };
    const choose = chooserOf(
      fake,
      driverOf(fake, (work) => work()),
    );
    fake.native.failure = new Error('Eval has failed');
    fake.native.chosen = [-1];
    await expect(choose(0, [5], watch)).rejects.toThrow('Eval has failed');
    expect([faults, fake.sequences[0]!._nextTokenIndex]).toEqual([[], 0]);
  });

  it('fails alone where no token could be chosen, and where the context is full', async () => {
    const fake = fakeContext();
    const choose = chooserOf(fake, driverOf(fake));
    fake.native.chosen = [-1];
    const [none, one] = await Promise.allSettled([choose(0, [5]), choose(1, [6])]);
    expect([none.status, one.status]).toEqual(['rejected', 'fulfilled']);
    fake.sequences[0]!._nextTokenIndex = 31;
    await expect(choose(0, [5])).rejects.toThrow('full');
  });

  it('tells a sampler its settings once, and anew before each token only where they can change', async () => {
    const fixed = fakeContext();
    const chooseFixed = chooserOf(fixed, driverOf(fixed), { temperature: 1 });
    for (const token of [5, 6, 7]) await chooseFixed(0, [token]);
    expect(fixed.configs).toEqual([{ temperature: 1 }]);
    const changing = fakeContext();
    const options = {
      repeatPenalty: { punishTokens: () => [] },
      dryRepeatPenaltyStrength: 1,
    } as SequenceEvaluateOptions;
    const chooseChanging = chooserOf(changing, driverOf(changing), options);
    for (const token of [5, 6]) await chooseChanging(0, [token]);
    expect(changing.configs).toEqual([options, { ...options, dryRepeatPenaltySequenceBreakers: false }]);
  });

  it('is not to be had where the library lacks a part of it', () => {
    const fake = fakeContext();
    Reflect.deleteProperty(fake.native, 'decodeBatch');
    const context = fake.context as unknown as LlamaContext;
    expect(findStepDriver({ context, sequences: [], inOrder: () => null })).toBeNull();
  });

  it('sees guesses that nobody took', () => {
    const fake = fakeContext();
    const driver = driverOf(fake);
    const [first, second] = fake.sequences;
    second!._loadedTokenPredictions.push([1, [2]]);
    expect([first, second].map((own) => driver.holdsGuesses(own as unknown as LlamaContextSequence))).toEqual([
      false,
      true,
    ]);
  });
});
