import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventsOf, parserFor, readOutput } from '../../support/parse-output.ts';
import { brokenAnswers, recordedAnswers, recordedTools } from '../../support/recorded-calls.ts';

const tools = recordedTools;
const cutAt = (text: string, at: number) => [text.slice(0, at), text.slice(at)];

describe.each(recordedAnswers)('$title', ({ form, output, text, reasoning, calls, ...rest }) => {
  const expected = { text, reasoning, calls };
  const options = {
    form,
    tools,
    ...(rest.template !== undefined && { template: rest.template }),
    ...(rest.startsInReasoning && { startsInReasoning: true }),
  };

  it('is read whole, with its calls held or streamed', async () => {
    expect(await readOutput([output], options)).toEqual(expected);
    expect(await readOutput([output], { ...options, bound: true })).toEqual(expected);
  });

  it('is read alike when it is cut in two anywhere, and character by character', async () => {
    for (const bound of [false, true]) {
      for (let at = 1; at < output.length; at++) {
        expect(await readOutput(cutAt(output, at), { ...options, bound }), `cut at ${at}`).toEqual(expected);
      }
      // UTF-16 units, so that surrogate pairs are cut as well.
      expect(await readOutput(output.split(''), { ...options, bound })).toEqual(expected);
    }
  });

  it('is text when the request has no tools', async () => {
    const { form: _form, ...without } = options;
    const answer = await readOutput([output], without);
    expect(answer.calls).toEqual([]);
    for (const { name } of calls) expect(answer.text).toContain(name);
  });
});

describe('what only looks like a call', () => {
  it.each(brokenAnswers)('comes back as text, every character of it: $output', async ({ form, output }) => {
    for (const pieces of [
      [output],
      output.split(''),
      ...Array.from({ length: output.length }, (_, at) => cutAt(output, at)),
    ]) {
      expect(await readOutput(pieces, { form, tools })).toEqual({ text: output, reasoning: '', calls: [] });
    }
  });

  it('never loses or invents a call for any text, however it is cut', async () => {
    const parts = [
      ...recordedAnswers.map(({ output }) => output),
      ...brokenAnswers.map(({ output }) => output),
      '<tool_call>',
      '</tool_call>',
      '{"name": "now", "arguments": {}}',
      '<|',
      'words ',
      '\n',
    ];
    const forms = [...new Set(recordedAnswers.map(({ form }) => form))];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forms),
        fc.array(fc.constantFrom(...parts), { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        async (form, chosen, cuts) => {
          const whole = chosen.join('');
          const pieces: string[] = [];
          for (let at = 0, index = 0; at < whole.length; index++) {
            const length = cuts[index % cuts.length]!;
            pieces.push(whole.slice(at, at + length));
            at += length;
          }
          expect(await readOutput(pieces, { form, tools })).toEqual(await readOutput([whole], { form, tools }));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('streaming a call', () => {
  const deltas = (pieces: string[], form: (typeof recordedAnswers)[number]['form']) =>
    eventsOf(pieces, { form, tools, bound: true }).flatMap((event) =>
      event.type === 'tool-call-delta' ? [event.argumentsText] : [],
    );
  const formOf = (title: string) => recordedAnswers.find((answer) => answer.title.startsWith(title))!.form;

  it('hands on JSON arguments piece by piece once the name is read', () => {
    const pieces = [
      '<tool_call>',
      '{"name": "get_weather", "arg',
      'uments": {"ci',
      'ty": "Os',
      'lo"}',
      '}</tool_call>',
    ];
    expect(deltas(pieces, formOf('Qwen 3'))).toEqual(['{"ci', 'ty": "Os', 'lo"}']);
  });

  it('hands on a string in tags while it comes, and other values when they are whole', () => {
    const pieces = [
      '<tool_call>',
      '\n<function=get_weather>\n<parameter=city>\nOs',
      'lo "N"\n',
      '</para',
      'meter>\n<parameter=days>\n1',
      '2\n</parameter>\n</function>\n</tool_call>',
    ];
    const written = deltas(pieces, formOf('Qwen3-Coder'));
    expect(written).toEqual(['{', '"city": ', '"', 'Os', 'lo \\"N\\"', '"', ', "days": ', '12', '}']);
  });

  it('ends a streamed call as it is when the answer is cut off, as a client of OpenAI expects', () => {
    const events = eventsOf(['<tool_call>', '{"name": "now", "arguments": {"a": '], {
      form: formOf('Qwen 3'),
      tools,
      bound: true,
    });
    expect(events).toEqual([
      { type: 'tool-call-start', blockId: 0, id: 'call_0', name: 'now' },
      { type: 'tool-call-delta', blockId: 0, argumentsText: '{"a": ' },
      { type: 'tool-call-end', blockId: 0 },
    ]);
  });

  it('holds a call back whole while no grammar makes it certain', () => {
    const events = eventsOf(['<tool_call>', '{"name": "now", "arguments": {"a":', ' 1}}</tool_call>'], {
      form: formOf('Qwen 3'),
      tools,
    });
    expect(events).toEqual([
      { type: 'tool-call-start', blockId: 0, id: 'call_0', name: 'now' },
      { type: 'tool-call-delta', blockId: 0, argumentsText: '{"a": 1}' },
      { type: 'tool-call-end', blockId: 0 },
    ]);
  });
});

describe('a call that was begun for the model', () => {
  const formOf = (title: string) => recordedAnswers.find((answer) => answer.title.startsWith(title))!.form;
  const beginning = (form: (typeof recordedAnswers)[number]['form'], startsInReasoning: boolean) =>
    parserFor({ form, tools, bound: true, begun: true, startsInReasoning });

  it('is bound from the first token when the form has no marker', () => {
    for (const title of ['Llama 3.1', 'ChatGLM3', 'GLM-4']) {
      expect(beginning(formOf(title), false).boundCall, title).toBe(1);
    }
  });

  it('begins once the reasoning that the prompt opened is closed', () => {
    const tagged = beginning(formOf('Qwen 3'), true);
    expect(tagged.inReasoning).toBe(true);
    tagged.push('</think>\n\n<tool_call>\n');
    expect([tagged.inReasoning, tagged.boundCall]).toEqual([false, 1]);
    const bare = beginning(formOf('Llama 3.1'), true);
    bare.push('</think>\n\n');
    expect([bare.inReasoning, bare.boundCall]).toEqual([false, 1]);
    bare.push('{"name": "now", "parameters": {}}');
    expect(bare.toolCallCount).toBe(1);
  });

  it('is not bound behind a marker whose grammar would not fit, or that came with a part of the call', () => {
    const coder = parserFor({ form: formOf('Qwen3-Coder'), tools, bound: true });
    coder.push('<function=');
    expect(coder.boundCall).toBeNull();
    const hermes = parserFor({ form: formOf('Qwen 3'), tools, bound: true });
    hermes.push('<tool_call>{');
    expect(hermes.boundCall).toBeNull();
  });
});
