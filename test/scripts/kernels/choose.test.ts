import { describe, expect, it } from 'vitest';
import { fastest, gainOf } from '../../../scripts/kernels/choose.ts';

const stock = { prompt: 200, decode: 50 };
const build = (label: string, prompt: number, decode: number) => ({ label, pace: { prompt, decode } });

describe('the choice of kernels', () => {
  it('takes the fastest at prompts and answers alike', () => {
    expect(gainOf(stock, { prompt: 242, decode: 50 })).toBeCloseTo(1.1);
    const builds = [build('clang', 240, 50), build('gcc', 210, 60)];
    expect(fastest(stock, builds)?.label).toBe('gcc');
    expect(fastest(stock, builds.toReversed())?.label).toBe('gcc');
  });

  it('takes none that is slower at one of them, however fast at the other', () => {
    expect(fastest(stock, [build('clang', 400, 47)])).toBeNull();
    expect(fastest(stock, [build('clang', 190, 90)])).toBeNull();
    expect(fastest(stock, [build('clang', 400, 47), build('gcc', 220, 51)])?.label).toBe('gcc');
  });

  it("leaves the library's own when nothing is won", () => {
    expect(fastest(stock, [build('clang', 200, 50)])).toBeNull();
    expect(fastest(stock, [])).toBeNull();
  });
});
