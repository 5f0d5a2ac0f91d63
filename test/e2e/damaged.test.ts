import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGguf } from '../../src/store/gguf/gguf.ts';
import { ask, eventually, postJson } from '../support/client.ts';
import { builtInModels } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const good = join(builtInModels, 'hearth-guide-3m-q8_0.gguf');
/** What a block of Q8_0 is scaled with where it is no number, and how long blocks are. */
const notANumber = [0x00, 0x7e];
const blockBytes = 34;

/** The built-in model's bytes, with what one token is embedded as made to no numbers: its first tensor are the embeddings. */
async function withBadToken(token: number): Promise<Buffer> {
  const bytes = await readFile(good);
  const { tensorBytes, embeddingLength } = await readGguf(good);
  const rowBytes = (embeddingLength! / 32) * blockBytes;
  const row = bytes.length - tensorBytes + token * rowBytes;
  for (let at = row; at < row + rowBytes; at += blockBytes) bytes.set(notANumber, at);
  return bytes;
}

/** The token `{"`; neither a greeting nor a template has it. */
const brace = 304;

describe('model files with damaged weights', () => {
  let folder: string;
  let server: RunningServer;
  const model = async (name: string) =>
    (await (await fetch(`${server.baseUrl}/models/${name}`)).json()) as { state: string; reason: string | null };
  const complete = (name: string, body: object, path = '/v1/completions') =>
    postJson(`${server.baseUrl}${path}`, { model: name, prompt: 'x', temperature: 0, max_tokens: 4, ...body });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-damaged-'));
    const bytes = await readFile(good);
    await copyFile(good, join(folder, 'whole.gguf'));
    await writeFile(join(folder, 'torn.gguf'), Buffer.from(bytes).fill(0xff, bytes.length - 1_000_000));
    for (const name of ['plain', 'logprobs', 'grammar']) {
      await writeFile(join(folder, `${name}.gguf`), await withBadToken(brace));
    }
    server = await startServer({ models: folder });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('fail their load by name, and are refused from then on', async () => {
    const loaded = await postJson(`${server.baseUrl}/models/torn/load`, {});
    expect(loaded).toMatchObject({ status: 422, body: { error: { code: 'INVALID_MODEL_FILE' } } });
    expect(JSON.stringify(loaded.body)).toContain('\\"torn\\" computes values that are not finite');
    expect(await complete('torn', {})).toMatchObject({ status: 503, body: { error: { code: 'model_quarantined' } } });
    expect(await model('torn')).toMatchObject({ state: 'quarantined', reason: expect.stringContaining('not finite') });
  });

  it.each([
    ['plain', '/v1/completions', {}],
    ['logprobs', '/v1/completions', { logprobs: 2 }],
    ['grammar', '/generate', { raw: true, format: { type: 'object', properties: { a: { type: 'integer' } } } }],
  ])('are noticed in the step that meets the damage: %s', async (name, path, body) => {
    expect(await complete(name, { ...body, max_tokens: 1 }, path)).toMatchObject({ status: 200 });
    const met = await complete(name, { ...body, prompt: 'x {"' }, path);
    expect(met).toMatchObject({
      status: 422,
      body: { error: { code: expect.stringMatching(/^invalid_model_file$/i) } },
    });
    expect(JSON.stringify(met.body)).toContain(`\\"${name}\\" computes`);
    await eventually(async () => (await model(name)).state === 'quarantined');
    expect(await complete(name, {})).toMatchObject({ status: 503, body: { error: { code: 'model_quarantined' } } });
    expect((await ask(server.baseUrl, 'Thanks!', 'whole')).text).toBe('You are welcome!');
  });

  it('say what is wrong with them where the library does', async () => {
    const bytes = await readFile(good);
    const at = bytes.indexOf('blk.2.ffn_down.weight');
    bytes.write('blk.2.ffn_dawn.weight', at);
    await writeFile(join(folder, 'renamed.gguf'), bytes);
    const loaded = await postJson(`${server.baseUrl}/models/renamed/load`, {});
    expect(loaded).toMatchObject({ status: 422, body: { error: { code: 'MODEL_LOAD_FAILED' } } });
    expect(JSON.stringify(loaded.body)).toMatch(/missing tensor 'blk\.2\.ffn_down\.weight'/);
    expect(JSON.stringify(loaded.body)).not.toContain(folder);
    expect((await model('renamed')).reason).toContain("missing tensor 'blk.2.ffn_down.weight'");
  });
});
