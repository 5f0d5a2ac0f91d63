import { describe, expect, it } from 'vitest';
import { hideSecrets, hideSecretsIn } from '../../src/observe/hide-secrets.ts';

describe('a text that is shown', () => {
  it.each([
    ['authorization: Bearer abcdefgh12345678', 'authorization: Bearer [redacted]'],
    ['refused sk-ant-api03-AAAABBBB was wrong', 'refused [redacted] was wrong'],
    ['key AKIAIOSFODNN7EXAMPLE', 'key [redacted]'],
    ['eyJhbGciOiJI.eyJzdWIiOiIx.c2ln', '[redacted]'],
    ['proxy http://ann:s3cret@proxy.lan:3128 failed', 'proxy http://[redacted]proxy.lan:3128 failed'],
    ['OPENAI_API_KEY=verysecret here', 'OPENAI_API_KEY=[redacted] here'],
    ['GET /x?ticket=tkt_abcdef&a=1', 'GET /x?ticket=[redacted]&a=1'],
    ['hf_abcdefghijkl', '[redacted]'],
  ])('%s', (text, shown) => {
    expect(hideSecrets(text)).toBe(shown);
  });

  it.each([
    'loaded in 12 ms, 1024 tokens: 7 slots, token: 128001',
    'http://127.0.0.1:8000/v1 and https://huggingface.co/org/repo',
    'the task-list of the desk-lamp',
  ])('leaves what is no secret: %s', (text) => {
    expect(hideSecrets(text)).toBe(text);
  });

  it('hides what is known, however it is written, the longest first', () => {
    const known = ['correct horse/battery', 'correct horse/battery-staple', 'quote"inside', 'short'];
    expect(hideSecrets('a correct horse/battery-staple b', known)).toBe('a [redacted] b');
    expect(hideSecrets('a correct%20horse%2Fbattery b', known)).toBe('a [redacted] b');
    expect(hideSecrets(String.raw`{"a":"quote\"inside"}`, known)).toBe('{"a":"[redacted]"}');
    expect(hideSecrets('a short b', known)).toBe('a short b');
  });
});

describe('a value that is shown', () => {
  it('loses secrets in texts, names and fields that are named like one, and keeps its counts', () => {
    const value = {
      apiKey: 'x1',
      nested: [{ note: 'sk-hearth-abcdefgh', token: 'abc', tokens: 12, token_count: 3 }],
      'Bearer abcdefgh12': null,
    };
    expect(hideSecretsIn(value)).toEqual({
      apiKey: '[redacted]',
      nested: [{ note: '[redacted]', token: '[redacted]', tokens: 12, token_count: 3 }],
      'Bearer [redacted]': null,
    });
  });
});
