import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillTemplate, resultPath, sourcesOf } from '../../src/cli/batch-folder.ts';
import type { Config } from '../../src/config/schema.ts';
import { AppError } from '../../src/core/errors.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { finishEvent, startEvent, textEvents } from '../support/fake-engine.ts';
import { runCli } from '../support/run-cli.ts';

let folder: string;
let harness: Harness;
let config: Config;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-batch-'));
  harness = await createHarness({ apiKeys: ['secret-key'], bodyLimitBytes: 20_000 });
  answer(() => 'Hello');
  const { port } = new URL(await harness.http.listen());
  config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
});
afterEach(async () => {
  await harness.close();
  await rm(folder, { recursive: true, force: true });
});

/** What the model says to a prompt. */
function answer(say: (prompt: string) => string): void {
  harness.gateway.play(({ input }) => [startEvent(), ...textEvents([say(JSON.stringify(input))], 0), finishEvent(1)]);
}
const run = (...words: string[]) => runCli(config, ['batch', ...words]);
const startJobs = () => harness.jobs.start(harness.http.perform);
const endpoint = '/v1/chat/completions';
const line = (custom_id: string, content = 'Hi') =>
  JSON.stringify({
    custom_id,
    method: 'POST',
    url: endpoint,
    body: { model: 'tiny', messages: [{ role: 'user', content }] },
  });
async function requestFile(...lines: string[]): Promise<string> {
  const path = join(folder, 'requests.jsonl');
  await writeFile(path, lines.join('\n'));
  return path;
}

describe('hearth batch', () => {
  it('shows what of a batch is at providers, and the most that it may cost', async () => {
    const made = await run('create', await requestFile(line('a'), line('b')), '--json');
    const { id } = JSON.parse(made.text);
    harness.jobs.shareOf = async () => ({ items: 2, mostNanoUsd: 1_500_000_000n });
    expect((await run('show', id)).text).toMatch(
      /^batch_\S+ .* 0 of 2 .*\n2 of them are in batches of providers, for 1\.50 USD at most\n$/,
    );
    const json = JSON.parse((await run('show', id, '--json')).text);
    expect(json.progress.cloud).toEqual({ requests: 2, most_usd: 1.5 });
  });

  it('makes a batch of a file, shows it, waits for it and prints its results', async () => {
    const path = await requestFile(line('a'), line('b'));
    const made = await run('create', path, '--metadata', 'night=1', '--json');
    expect([made.code, made.failures]).toEqual([0, []]);
    const batch = JSON.parse(made.text);
    expect(batch).toMatchObject({ status: 'in_progress', endpoint, metadata: { night: '1' } });
    const early = await run('results', batch.id);
    expect(early).toMatchObject({ code: 1, failures: [expect.stringContaining('--wait')] });
    startJobs();
    const shown = await run('show', batch.id, '--wait');
    expect(shown.code).toBe(0);
    expect(shown.text).toMatch(new RegExp(`completed: 2 of 2\n${batch.id}  completed    2 of 2  ${endpoint}\n$`));
    const { text, code, failures } = await run('results', batch.id);
    expect([code, failures]).toEqual([0, []]);
    expect(
      text
        .trim()
        .split('\n')
        .map((one) => JSON.parse(one).custom_id),
    ).toEqual(['a', 'b']);
    expect((await run('list')).text).toBe(`${batch.id}  completed    2 of 2  ${endpoint}\n`);
  });

  it('says why nothing of one is begun', async () => {
    harness.strain.current = 'temperature';
    const { id } = JSON.parse((await run('create', await requestFile(line('a')), '--json')).text);
    const shown = await run('show', id);
    expect([shown.code, shown.failures]).toEqual([
      0,
      ['No requests are begun now: its processor is hotter than jobs.pause_above_celsius.'],
    ]);
    harness.strain.current = null;
    expect((await run('show', id)).failures).toEqual([]);
    expect((await run('show', id, '--json')).failures).toEqual([]);
  });

  it('has somebody told of the end', async () => {
    await run('create', await requestFile(line('a')), '--webhook', 'https://hooks.example.com/x');
    const told = await harness.database.tables.selectFrom('webhooks').select('url').execute();
    expect(told).toEqual([{ url: 'https://hooks.example.com/x' }]);
    const refused = await run('create', await requestFile(line('a')), '--webhook', 'https://evil.example/');
    expect([refused.code, refused.failures]).toEqual([1, [expect.stringContaining('leads to evil.example')]]);
  });

  it('says of each line of a file what is wrong with it', async () => {
    const made = await run('create', await requestFile(line('a'), line('a')), '--wait');
    expect(made.code).toBe(1);
    expect(made.failures).toEqual([expect.stringMatching(/^line 2: "custom_id" is that of line 1/)]);
  });

  it('tells what failed on the error stream', async () => {
    harness.gateway.play(() => {
      throw new AppError('model_load_failed', 'The file is broken.');
    });
    startJobs();
    const made = await run('create', await requestFile(line('a')), '--wait', '--json');
    expect(made.code).toBe(1);
    const { text, code, failures } = await run('results', JSON.parse(made.text).id);
    expect([text, code]).toEqual(['', 1]);
    expect(JSON.parse(failures[0]!)).toMatchObject({ custom_id: 'a', response: { status_code: 422 } });
  });

  it('ends one early', async () => {
    const { id } = JSON.parse((await run('create', await requestFile(line('a')), '--json')).text);
    const cancelled = await run('cancel', id);
    expect([cancelled.code, cancelled.text]).toEqual([0, expect.stringContaining('cancelling')]);
  });

  it.each([
    [['create', '/nowhere'], /cannot be read as lines of JSON/],
    [['show', 'batch_1'], /There is no such batch/],
    [['run', '--over', '*', '--out', '/tmp/x'], /--prompt or --decide/],
    [
      ['run', '--over', '*', '--out', '/tmp/x', '--prompt', '/nowhere'],
      /--prompt names a file, and "\/nowhere" cannot be read/,
    ],
  ])('says in one line what is wrong with %j', async (words, says) => {
    const { code, failures } = await run(...words);
    expect([code, failures]).toEqual([1, [expect.stringMatching(says)]]);
  });

  it('needs a server that runs', async () => {
    await harness.close();
    const { code, failures } = await run('list');
    expect([code, failures]).toEqual([1, [expect.stringContaining('HEARTH_URL')]]);
    harness = await createHarness();
  });
});

describe('hearth batch run', () => {
  let mails: string;
  let out: string;
  const write = async (name: string, text: string | Buffer) => {
    await mkdir(join(mails, name, '..'), { recursive: true });
    await writeFile(join(mails, name), text);
  };
  const read = (name: string) => readFile(join(out, name), 'utf8');
  const resultsIn = async () =>
    (await readdir(out, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(out.length + 1))
      .sort();
  const ask = (...more: string[]) =>
    run('run', '--over', join(mails, '**/*.txt'), '--out', out, '--model', 'tiny', ...more);
  let prompt: string;
  beforeEach(async () => {
    [mails, out, prompt] = [join(folder, 'mails'), join(folder, 'out'), join(folder, 'prompt.txt')];
    await write('a.txt', 'first');
    await write('deep/b.txt', 'second');
    await writeFile(prompt, 'Sum up {{name}}: {{text}}');
    startJobs();
  });

  it('writes a result for each file, and asks for no result again', async () => {
    answer((input) => (input.includes('Sum up deep/b.txt: second') ? 'B' : input.includes('first') ? 'A' : '?'));
    const done = await ask('--prompt', prompt);
    expect([done.failures, done.code]).toEqual([[], 0]);
    expect(done.text).toMatch(/2 of 2 files have a result/);
    expect(await resultsIn()).toEqual(['a.txt.txt', 'deep/b.txt.txt']);
    expect([await read('a.txt.txt'), await read('deep/b.txt.txt')]).toEqual(['A\n', 'B\n']);
    const asked = harness.gateway.calls.length;
    await write('c.txt', 'third');
    expect((await ask('--prompt', prompt)).code).toBe(0);
    expect(harness.gateway.calls.length).toBe(asked + 1);
    expect(await resultsIn()).toEqual(['a.txt.txt', 'c.txt.txt', 'deep/b.txt.txt']);
    // Nothing is left on the server either.
    expect((await harness.send('GET', '/v1/files', undefined, { 'x-api-key': 'secret-key' })).json().data).toEqual([]);
  });

  it('holds answers to a schema', async () => {
    answer(() => '{"kind":"invoice"}');
    const schema = join(folder, 'schema.json');
    await writeFile(schema, '{"type":"object","properties":{"kind":{"type":"string"}}}');
    expect((await ask('--prompt', prompt, '--schema', schema)).code).toBe(0);
    expect(JSON.parse(await read('a.txt.json'))).toEqual({ kind: 'invoice' });
    expect(JSON.stringify(harness.gateway.calls[0]!.request)).toContain('"kind"');
  });

  it('answers closed questions', async () => {
    const done = await ask(
      '--decide',
      'Urgent?',
      '--decide',
      'Topic? [billing, sales]',
      '--decide',
      'Bad? [low < high]',
    );
    expect([done.failures, done.code]).toEqual([[], 0]);
    const { answers } = JSON.parse(await read('a.txt.json'));
    expect(answers.map(({ type }: { type: string }) => type)).toEqual(['predicate', 'choice', 'score']);
  });

  it('tells which files failed, gives the others their results, and tries the failed ones again the next time', async () => {
    let isBroken = true;
    harness.gateway.play(({ input }) => {
      if (isBroken && JSON.stringify(input).includes('second')) throw new AppError('model_load_failed', 'No luck.');
      return [startEvent(), ...textEvents(['A'], 0), finishEvent(1)];
    });
    await write('c.txt', Buffer.from([0xff, 0xfe]));
    const first = await ask('--prompt', prompt);
    expect(first.code).toBe(1);
    expect(first.failures.sort()).toEqual([
      'c.txt: c.txt is no text in UTF-8, or cannot be read.',
      expect.stringMatching(/^deep\/b\.txt: No luck\./),
    ]);
    expect(await resultsIn()).toEqual(['a.txt.txt']);
    isBroken = false;
    await rm(join(mails, 'c.txt'));
    expect((await ask('--prompt', prompt)).code).toBe(0);
    expect(await resultsIn()).toEqual(['a.txt.txt', 'deep/b.txt.txt']);
  });

  it('says that --prompt takes a file where it was given the prompt itself', async () => {
    expect(await ask('--prompt', 'Sum up')).toMatchObject({
      code: 1,
      failures: ['--prompt names a file, and "Sum up" cannot be read.'],
    });
  });

  it('leaves out a file that the server refuses, and asks for the others', async () => {
    await write('large.txt', 'x'.repeat(30_000));
    const done = await ask('--decide', 'Urgent?');
    expect([done.code, done.failures]).toEqual([1, [expect.stringMatching(/^large\.txt: /)]]);
    expect(await resultsIn()).toEqual(['a.txt.json', 'deep/b.txt.json']);
  });

  it.each([
    ['before it was made', false],
    ['while it ran', true],
  ])('goes on with a batch that an earlier run left %s', async (_when, isMade) => {
    answer(() => 'A');
    const client = { 'x-api-key': 'secret-key' };
    const lines = ['a.txt', 'deep/b.txt'].map((name) => line(name));
    const boundary = 'xYzZY';
    const part = (name: string, value: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; name=${name}\r\n\r\n${value}\r\n`;
    const form = `${part('"purpose"', 'batch')}${part('"file"; filename="a"', lines.join('\n'))}--${boundary}--\r\n`;
    const type = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    const fileId = (await harness.send('POST', '/v1/files', form, { ...client, ...type })).json().id;
    const wish = { input_file_id: fileId, endpoint, completion_window: '24h' };
    const made = await harness.send(
      'POST',
      '/v1/batches',
      { ...wish, metadata: null },
      { ...client, 'idempotency-key': 'k1' },
    );
    await mkdir(out);
    await writeFile(
      join(out, '.hearth-batch.json'),
      JSON.stringify({
        key: 'k1',
        fileId,
        batchId: isMade ? made.json().id : null,
        endpoint,
        window: '24h',
        ending: '.txt',
        names: ['a.txt', 'deep/b.txt'],
      }),
    );
    const done = await ask('--prompt', prompt);
    expect([done.failures, done.code]).toEqual([[], 0]);
    expect(await resultsIn()).toEqual(['a.txt.txt', 'deep/b.txt.txt']);
    expect((await harness.send('GET', '/v1/batches', undefined, client)).json().data).toHaveLength(1);
  });

  it('begins anew where the server knows nothing of what was under way', async () => {
    await mkdir(out);
    const state = {
      key: 'k',
      fileId: 'file-1',
      batchId: 'batch_1',
      endpoint,
      window: '24h',
      ending: '.txt',
      names: ['a.txt'],
    };
    await writeFile(join(out, '.hearth-batch.json'), JSON.stringify(state));
    expect((await ask('--prompt', prompt)).code).toBe(0);
    expect(await resultsIn()).toEqual(['a.txt.txt', 'deep/b.txt.txt']);
  });
});

describe('the files of a pattern', () => {
  it('are named from its first wild card on, without those of the results', async () => {
    for (const name of ['mails/a.txt', 'mails/x/b.txt', 'mails/out/a.txt.txt', 'mails/c.eml']) {
      await mkdir(join(folder, name, '..'), { recursive: true });
      await writeFile(join(folder, name), 'x');
    }
    const namesOf = async (pattern: string) =>
      (await sourcesOf(join(folder, pattern), join(folder, 'mails/out'))).map(({ name }) => name);
    expect(await namesOf('mails/**/*.txt')).toEqual(['a.txt', 'x/b.txt']);
    expect(await namesOf('mails/x/*.txt')).toEqual(['b.txt']);
    expect(await namesOf('*/*.{eml,txt}')).toEqual(['mails/a.txt', 'mails/c.eml']);
    expect(await namesOf('mails/c.eml')).toEqual(['c.eml']);
    expect(await namesOf('nothing/*')).toEqual([]);
    expect(resultPath('/out', { name: 'x/b.txt' }, '.json')).toBe(join('/out', 'x', 'b.txt.json'));
  });

  it.each([
    ['Sum up: {{text}}!', 'Sum up: T!'],
    ['Sum up.\n', 'Sum up.\n\nT'],
    ['{{name}}: {{text}}', 'n: T'],
    ['{{other}} {{text}}', '{{other}} T'],
  ])('come into the template %j', (template, filled) => {
    expect(fillTemplate(template, 'T', 'n')).toBe(filled);
  });

  it('may hold what looks like a place of the template', () => {
    expect(fillTemplate('{{text}} of {{name}}', '{{name}} $& {{text}}', 'n')).toBe('{{name}} $& {{text}} of n');
  });
});
