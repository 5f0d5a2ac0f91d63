import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { progressLine } from '../../src/cli/progress.ts';
import type { Config } from '../../src/config/schema.ts';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { modelInfo } from '../support/fake-engine.ts';
import { prefersQ40 } from '../support/quantization-advice.ts';
import { runCli } from '../support/run-cli.ts';

let harness: Harness;
let config: Config;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
  const { port } = new URL(await harness.http.listen());
  config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
});
afterEach(() => harness.close());

const run = (...words: string[]) => runCli(config, words);

const slow = { quantization: 'q4_k_m', sizeBytes: 1, weights: null, measured: null };
const fast = { ...slow, quantization: 'q4_0' };

describe('hearth load', () => {
  it('loads with its options, and says what was estimated and what is used', async () => {
    const flags = '--quantization q8_0 --context-length 1024 --parallel 2 --keep-alive 1h --pin --no-gpu --force'.split(
      ' ',
    );
    expect(await run('load', 'tiny', ...flags)).toMatchObject({
      text:
        'tiny:q8_0 is ready after 0.0 s.\nmemory: estimated 135 MB, used 68 MB\n' +
        'context 1024 tokens, 2 at the same time, CPU\n',
      failures: [],
      code: 0,
    });
    expect(harness.engine.loads).toEqual([
      {
        name: 'tiny',
        wish: {
          quantization: 'q8_0',
          contextTokens: 1024,
          parallel: 2,
          keepAliveMs: 3_600_000,
          pin: true,
          preferGpu: false,
          force: true,
        },
      },
    ]);
  });

  it('says how to load what does not fit', async () => {
    harness.engine.load = () =>
      Promise.reject(new AppError('insufficient_memory', 'tiny: needs 9 GB, 6 GB are available.'));
    const { failures, code } = await run('load', 'tiny');
    expect(failures).toEqual([
      'tiny: needs 9 GB, 6 GB are available. "hearth load tiny --force" loads it anyway: the machine may swap, or end it.',
    ]);
    expect(code).toBe(1);
    expect((await run('load', 'tiny', '--force')).failures).toEqual(['tiny: needs 9 GB, 6 GB are available.']);
  });

  it('gives the answer of the server as JSON', async () => {
    const { text } = await run('load', 'tiny', '--json');
    expect(JSON.parse(text)).toMatchObject({ status: 'success', model: { name: 'tiny' }, plan: { parallel: 4 } });
  });

  it.each(['load', 'show', 'plan', 'unload', 'rm'])(
    'and its neighbour %s say which model may be meant',
    async (verb) => {
      harness.store.failure = new AppError('model_not_found', 'There is no model "tyni".');
      expect(await run(verb, 'tyni')).toMatchObject({
        text: '',
        failures: ['There is no model "tyni". Did you mean "tiny"?'],
        code: 1,
      });
    },
  );
});

describe('hearth ps and unload', () => {
  it('show what is in memory, and take it out', async () => {
    expect((await run('ps')).text).toBe('No model is in memory.\n');
    await run('load', 'tiny');
    const [head, line] = (await run('ps')).text.split('\n');
    expect(head).toBe('MODEL      MEMORY  ESTIMATED  CONTEXT  BUSY  PLACE  SPEED   STAYS');
    expect(line).toMatch(/^tiny:q8_0 {2}68 MB {3}135 MB {5}2048 {5}0\/4 {3}CPU {4}71\.5\/s {2}\d+ s$/);
    expect((await run('unload', 'tiny')).text).toBe('tiny is unloaded, 68 MB freed.\n');
    expect((await run('stop', 'tiny', 'tiny')).text).toBe('tiny was not loaded.\ntiny was not loaded.\n');
    expect(JSON.parse((await run('stop', 'tiny', '--json')).text)).toEqual([
      { model: 'tiny', was_loaded: false, freed_bytes: null },
    ]);
  });

  it('have the same for programs', async () => {
    await run('load', 'tiny', '--pin');
    Object.assign(harness.engine.models[0]!.loaded!, {
      expiresAt: null,
      activeRequests: 4,
      queuedRequests: 2,
      tokensPerSecond: 38.25,
    });
    expect(JSON.parse((await run('ps', '--json')).text)).toEqual([
      {
        model: 'tiny:q8_0',
        state: 'loaded',
        memory_bytes: 64 * 2 ** 20,
        expected_memory_bytes: 128 * 2 ** 20,
        context_length: 2048,
        slots: 4,
        active_requests: 4,
        queued_requests: 2,
        place: 'cpu',
        gpu_layers: 0,
        gpu_memory_bytes: 0,
        tokens_per_second: 71.5,
        tokens_per_second_now: 38.25,
        pinned: true,
        keep_alive_left_ms: null,
        expires_at: null,
      },
    ]);
    expect((await run('ps')).text).toMatch(/4\/4 \+2 wait .* 38\.3\/s now .*pinned\n$/);
  });

  it('say of a GPU which it is', async () => {
    await run('load', 'tiny');
    Object.assign(harness.engine.models[0]!.loaded!, { gpu: 'vulkan', gpuDevice: 'Arc A380', gpuLayers: 12 });
    expect((await run('ps')).text).toContain('Arc A380, 12 layers');
  });
});

describe('hearth show', () => {
  it('has what the server and what the file know', async () => {
    harness.store.headers.metadata['general.license'] = 'apache-2.0';
    const { text, code } = await run('show', 'default');
    expect(code).toBe(0);
    expect(text.split('\n')).toEqual([
      'model         tiny:q8_0',
      'also          default',
      'architecture  llama, 3.0 M parameters',
      'size          3 MB, 8.5 bits per weight',
      'context       2048 tokens trained',
      'can           completion, tools',
      'licence       apache-2.0',
      'template      25 characters; --template prints it',
      'state         unloaded',
      'memory        135 MB would be taken; fits now',
      'file          tiny-q8_0.gguf',
      '',
    ]);
    expect((await run('show', 'tiny', '--license')).text).toBe('apache-2.0\n');
    const json = JSON.parse((await run('show', 'tiny', '--json')).text);
    expect(json).toMatchObject({
      name: 'tiny',
      licence: { license: 'apache-2.0' },
      capabilities: ['completion', 'tools'],
    });
  });

  it('prints a template as it stands, without what a terminal would obey', async () => {
    harness.store.headers.template = '{% if a %}\n\tb\u001b[31m{% endif %}';
    expect((await run('show', 'tiny', '--template')).text).toBe('{% if a %}\n\tb[31m{% endif %}\n');
    harness.store.headers.template = null;
    expect(await run('show', 'tiny', '--template')).toMatchObject({
      failures: ['tiny has no chat template.'],
      code: 1,
    });
    expect((await run('show', 'tiny', '--license')).text).toBe('The file of tiny says nothing of its licence.\n');
  });

  it('says of a loaded model what was estimated and used, and why others are not usable', async () => {
    const [variant] = modelInfo().variants;
    harness.engine.models[0]!.variants.push({
      ...variant!,
      quantization: 'f16',
      invalidReason: 'the file is cut short',
    });
    await run('load', 'tiny');
    const { text } = await run('show', 'tiny');
    expect(text).toContain('memory        estimated 135 MB, used 68 MB\n');
    expect(text).toContain('loaded        context 2048 tokens, 4 at the same time, CPU\n');
    expect(text).toContain('also as       f16, 3 MB; the file is cut short\n');
  });
});

describe('hearth search, cp and pull', () => {
  it('lists what was found with sizes and fit', async () => {
    const { text, code } = await run('search', 'tiny', 'gguf', '--limit', '3');
    expect(code).toBe(0);
    expect(text).toBe(
      'hf.co/maker/tiny-GGUF\n    7 downloads, mit\n  + q4_0    200 MB *\n  - f16     9.0 GB\n\n' +
        '+ fits into the 4.0 GB that Hearth may use, - does not, ? nobody knows; * is on disk.\n' +
        '"hearth pull hf.co/maker/tiny-GGUF" pulls the first; NAME:QUANTIZATION chooses.\n',
    );
    expect(harness.store.searches).toEqual([{ query: 'tiny gguf', limit: 3 }]);
    expect(JSON.parse((await run('search', 'tiny', '--json')).text)).toMatchObject({ memory_bytes: 4e9 });
  });

  it('says which quantization this processor is faster with', async () => {
    const advice = { ...prefersQ40(slow, [fast])!, message: 'Q4_0 is faster: hearth pull x:Q4_0' };
    const search = harness.store.search;
    harness.store.search = async (...all) => {
      const found = await search(...all);
      return { ...found, models: found.models.map((model) => ({ ...model, advice })) };
    };
    expect((await run('search', 'tiny')).text).toContain(
      '- f16     9.0 GB\n    Q4_0 is faster: "hearth pull x:Q4_0"\n',
    );
    harness.engine.models[0]!.advice = advice;
    expect((await run('show', 'tiny')).text).toContain('speed         Q4_0 is faster: "hearth pull x:Q4_0"\n');
  });

  it('says that nothing was found, and what of the search failed', async () => {
    harness.store.search = async () => ({ models: [], notes: ['The hub could not be asked.'], memoryBytes: 4e9 });
    expect(await run('search', 'nothing')).toMatchObject({
      text: 'Nothing is called "nothing", neither in the catalogue nor at the hub.\n',
      failures: ['The hub could not be asked.'],
      code: 1,
    });
  });

  it('makes another name', async () => {
    expect((await run('cp', 'tiny', 'helper')).text).toBe('helper is another name of tiny.\n');
    expect(harness.store.makes).toMatchObject([{ name: 'helper' }]);
  });

  it('says which name of the catalogue may be meant', async () => {
    harness.store.failure = new AppError('model_not_found', 'The catalogue has no "larg".');
    expect((await run('pull', 'larg')).failures).toEqual([
      'The catalogue has no "larg". Did you mean "large"? "hearth search larg" looks for it at the hub.',
    ]);
  });

  it('gives the end of a pull as JSON, and nothing else', async () => {
    const done = harness.store.getPull('pull-1');
    harness.store.changes = async function* () {
      yield done;
      yield { ...done, state: 'done', receivedBytes: done.totalBytes };
    };
    const { text, code } = await run('pull', 'tiny', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ id: 'pull-1', state: 'done', received_bytes: 4_000_000 });
  });
});

describe('a line of progress', () => {
  const pull = {
    id: 'pull-1',
    model: 'Tiny:q4_0',
    repository: 'maker/tiny-GGUF',
    state: 'downloading',
    totalBytes: 4_000_000_000,
    receivedBytes: 1_000_000_000,
    bytesPerSecond: 5e6,
    planMessage: null,
    notes: [],
    error: null,
  };
  it.each([
    [80, '[######..................]  25 %  1.0 GB of 4.0 GB  5 MB/s  10 min left'],
    [71, ' 25 %  1.0 GB of 4.0 GB  5 MB/s  10 min left'],
    [40, ' 25 %  5 MB/s  10 min left'],
    [12, ' 25 %  5 M…'],
  ])('in a window of %i columns is %s', (columns, line) => {
    expect(progressLine(pull, columns)).toBe(line);
    expect(line.length).toBeLessThan(columns);
  });
});
