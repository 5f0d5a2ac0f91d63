import { describe, expect, it } from 'vitest';
import { createRequestHeads } from '../../src/wire/request-heads.ts';

describe('heads of requests', () => {
  it('are worded once for each method and path', async () => {
    const worded: string[] = [];
    const headOf = createRequestHeads(async (method: 'get' | 'post', path) => {
      worded.push(`${method} ${path}`);
      return { url: `http://service${path}`, headers: { method } };
    });
    const first = await headOf('post', '/a');
    expect(first).toEqual({ url: 'http://service/a', headers: { method: 'post' } });
    expect(await headOf('post', '/a')).toBe(first);
    expect((await headOf('get', '/a')).headers).toEqual({ method: 'get' });
    expect(worded).toEqual(['post /a', 'get /a']);
  });

  it('are asked for again after a failure, and forgotten where paths have no end', async () => {
    let worded = 0;
    const headOf = createRequestHeads(async (_method: 'get', path) => {
      if (worded++ === 0) throw new Error('no SDK');
      return { url: path, headers: {} };
    });
    await expect(headOf('get', '/kept')).rejects.toThrow('no SDK');
    const first = await headOf('get', '/kept');
    for (let index = 0; index < 1_000; index++) await headOf('get', `/one/${index}`);
    expect(await headOf('get', '/kept')).not.toBe(first);
  });
});
