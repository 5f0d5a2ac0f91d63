import { describe, expect, it } from 'vitest';
import { createLoadFailures } from '../../../src/engine/residents/load-failures.ts';

describe('why the last load of a model failed', () => {
  it('is known until it is loaded, or its file has changed', () => {
    const stamps = new Map([['/m/a.gguf', '1']]);
    const failures = createLoadFailures((path) => stamps.get(path) ?? null);
    const a = { id: 'a:q4_0', filePath: '/m/a.gguf' };
    expect(failures.reasonFor(a.id)).toBeNull();
    failures.note(a, 'a tensor is missing');
    expect(failures.reasonFor(a.id)).toBe('a tensor is missing');
    failures.forget(a.id);
    expect(failures.reasonFor(a.id)).toBeNull();
    failures.note(a, 'a tensor is missing');
    stamps.set('/m/a.gguf', '2');
    expect(failures.reasonFor(a.id)).toBeNull();
  });
});
