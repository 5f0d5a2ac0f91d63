import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harmonyForm } from '../../../src/worker/families/harmony.ts';
import { hermesForm } from '../../../src/worker/families/hermes.ts';
import type { FlatAnswer } from '../../support/flat-answer.ts';
import { parseOutput, parserFor } from '../../support/parse-output.ts';

function parse(pieces: string[], options: { tools?: boolean; startsInReasoning?: boolean } = {}): Promise<FlatAnswer> {
  return parseOutput(pieces, {
    ...(options.tools !== false && { form: hermesForm }),
    startsInReasoning: options.startsInReasoning ?? false,
  });
}

const call = (name: string, args: unknown) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;

describe('parsing an answer into blocks', () => {
  it('passes text without tags through, white space included', async () => {
    expect((await parse(['  Hello', ' there \n'])).text).toBe('  Hello there \n');
  });

  it('reads a tool call and leaves no text behind', async () => {
    const answer = await parse([call('get_weather', { city: 'Oslo' })]);
    expect(answer.text).toBe('');
    expect(answer.toolCalls).toEqual([{ id: 'call_0', name: 'get_weather', arguments: { city: 'Oslo' } }]);
  });

  it('reads text and several calls, and drops the white space between them', async () => {
    const answer = await parse([`I look.\n${call('a', {})}\n${call('b', { n: 1 })}\n`]);
    expect(answer.text).toBe('I look.');
    expect(answer.toolCalls.map((toolCall) => toolCall.name)).toEqual(['a', 'b']);
  });

  it('gives the same blocks for any cutting into pieces', async () => {
    const whole = `<think>\nTwo calls.\n</think>\n\nSure.\n${call('a', { text: 'x </tool> y' })}\n${call('b', {})}`;
    const expected = await parse([whole]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), async (cuts) => {
        const pieces: string[] = [];
        for (let at = 0, index = 0; at < whole.length; index++) {
          const length = cuts[index % cuts.length]!;
          pieces.push(whole.slice(at, at + length));
          at += length;
        }
        expect(await parse(pieces)).toEqual(expected);
      }),
    );
    expect(expected).toMatchObject({ reasoning: 'Two calls.', text: 'Sure.' });
  });

  it('treats tool tags as text when the request has no tools', async () => {
    const text = call('a', {});
    const answer = await parse([text], { tools: false });
    expect(answer.text).toBe(text);
    expect(answer.toolCalls).toEqual([]);
  });

  it('gives back as text what only looks like a call', async () => {
    for (const body of [
      'not json',
      '{"arguments": {}}',
      '{"name": 3, "arguments": {}}',
      '{"name": "a", "arguments": [1]}',
    ]) {
      const text = `<tool_call>${body}</tool_call>`;
      const answer = await parse([text]);
      expect(answer.text).toBe(text);
      expect(answer.toolCalls).toEqual([]);
    }
  });

  it('accepts a whole call whose closing tag was cut off, and shows a broken one', async () => {
    expect((await parse(['<tool_call>{"name": "a", "arguments": {"x": 1}}'])).toolCalls[0]?.arguments).toEqual({
      x: 1,
    });
    expect((await parse(['<tool_call>{"name": "a", "argu'])).text).toBe('<tool_call>{"name": "a", "argu');
  });

  it('separates reasoning only at the start of an answer', async () => {
    expect(await parse(['<think>\nhm\n</think>\n\nyes'])).toMatchObject({ reasoning: 'hm', text: 'yes' });
    expect(await parse(['The tag <think> opens it.'])).toMatchObject({
      reasoning: '',
      text: 'The tag <think> opens it.',
    });
  });

  it('begins in reasoning when the prompt opened it, and keeps an unfinished thought as reasoning', async () => {
    expect(await parse(['\nhm</think>yes'], { startsInReasoning: true })).toMatchObject({
      reasoning: 'hm',
      text: 'yes',
    });
    expect(await parse(['still thin', 'king'], { startsInReasoning: true })).toMatchObject({
      reasoning: 'still thinking',
      text: '',
    });
  });
});

describe('an answer in a frame of channels', () => {
  const template = '<|channel|>analysis<|message|>';
  const options = { form: harmonyForm, tools: [{ name: 'now' }], bound: true, template };

  it('is bound to a format from the text that opens it, and not before', () => {
    const parser = parserFor(options);
    const places = [
      '<|channel|>analysis<|message|>Hm',
      '.<|end|>',
      '<|start|>assistant<|channel|>final',
      '<|message|>',
      '{"a"',
      ': 1}',
    ].map((piece) => {
      parser.push(piece);
      return [parser.inReasoning, parser.inAnswer];
    });
    expect(places).toEqual([
      [true, false],
      [false, false],
      [false, false],
      [false, true],
      [false, true],
      [false, true],
    ]);
  });

  it('is bound in its calls from the name of the tool on', () => {
    const parser = parserFor(options);
    parser.push('<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary');
    expect(parser.boundCall).toBeNull();
    parser.push(' to=functions.');
    expect([parser.boundCall, parser.inAnswer]).toEqual([1, false]);
    parser.push('now <|constrain|>json<|message|>{}');
    expect(parser.toolCallCount).toBe(1);
  });

  it('shows what of the frame has no end as nothing, and the text in it whole', async () => {
    const answer = await parseOutput(['<|channel|>final<|message|>a <|b', '|> c', '<|start|>assistant'], options);
    expect(answer.text).toBe('a <|b|> c');
  });
});
