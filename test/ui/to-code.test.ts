import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { toCurl, toJavaScript, toPython } from '../../ui/src/screens/playground/to-code.ts';

const body = {
  model: 'tiny',
  messages: [
    { role: 'system', content: 'It\'s "quoted"\nand \\ slashed' },
    { role: 'user', content: "What's Hearth? $HOME `x` é 🔥" },
  ],
  temperature: 0.5,
  tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }],
  chat_template_kwargs: { enable_thinking: false },
  stream: true,
};
const request = { base: 'http://127.0.0.1:8000', needsKey: false, body };

describe('the request as code', () => {
  it('comes out of a shell as it went in, for curl', () => {
    // The shell hands its arguments to something that prints them in place of curl.
    const script = `curl() { node -e 'process.stdout.write(JSON.stringify(process.argv.slice(1)))' -- "$@"; }\n${toCurl(request)}`;
    const sent = JSON.parse(execFileSync('sh', ['-c', script], { encoding: 'utf8' })) as string[];
    expect(sent).toContain('http://127.0.0.1:8000/v1/chat/completions');
    expect(JSON.parse(sent[sent.indexOf('-d') + 1]!)).toEqual(body);
  });

  it('is JavaScript that sends the same', () => {
    const text = toJavaScript(request);
    const literal = /completions\.create\(([\s\S]*?)\);\nfor/.exec(text)![1]!;
    expect(JSON.parse(literal)).toEqual(body);
    expect(text).toContain("baseURL: 'http://127.0.0.1:8000/v1'");
  });

  it('is Python with its own words for true and nothing', () => {
    const text = toPython({ ...request, body: { ...body, seed: null } });
    expect(text).toContain('stream=True,');
    expect(text).toContain('seed=None,');
    expect(text).toContain('extra_body={"chat_template_kwargs": {"enable_thinking": False}},');
    expect(text).not.toMatch(/\btrue\b|\bfalse\b|\bnull\b/);
  });

  it('names no key, only where one is', () => {
    for (const toCode of [toCurl, toJavaScript, toPython]) {
      expect(toCode({ ...request, needsKey: true })).toContain('HEARTH_API_KEY');
      expect(toCode(request)).not.toContain('HEARTH_API_KEY');
    }
  });
});
