import { describe, expect, it } from 'vitest';
import { countCharacters } from '../../support/count-characters.ts';
import { parserFor } from '../../support/parse-output.ts';
import { recordedAnswers, recordedTools } from '../../support/recorded-calls.ts';

const kib = 1024;
const pieceCharacters = 256;

/** What a model could be made to write, from what it writes in earnest; `length` characters of it. */
const hostile: Record<string, (output: string, marker: string, length: number) => string> = {
  'markers alone': (_output, marker, length) => repeated(marker, length),
  'beginnings of calls': (output, _marker, length) => repeated(output.slice(0, Math.ceil(output.length * 0.6)), length),
  'a call that does not end': (output, _marker, length) => `${output.slice(0, -8)}${repeated('a', length)}`,
  'white space in a call': (output, marker, length) =>
    `${output.slice(0, output.indexOf(marker))}${marker}${repeated(' ', length)}`,
  'braces in a call': (output, marker, length) =>
    `${output.slice(0, output.indexOf(marker))}${marker}${repeated('{', length)}`,
  'whole calls': (output, _marker, length) => repeated(output, length),
};
const repeated = (text: string, length: number) => text.repeat(Math.ceil(length / text.length)).slice(0, length);

function charactersRead(text: string, answer: (typeof recordedAnswers)[number], bound: boolean): number {
  const pieces = Array.from({ length: Math.ceil(text.length / pieceCharacters) }, (_, index) =>
    text.slice(index * pieceCharacters, (index + 1) * pieceCharacters),
  );
  const { form, template, startsInReasoning = false } = answer;
  return countCharacters(() => {
    const parser = parserFor({
      form,
      tools: recordedTools,
      bound,
      ...(template !== undefined && { template }),
      startsInReasoning,
    });
    for (const piece of pieces) parser.push(piece);
    parser.end();
  });
}

const perForm = [...new Map(recordedAnswers.map((answer) => [answer.form.name, answer])).values()];

describe.each(perForm.map((answer) => ({ name: answer.form.name, answer })))('the reader of $name', ({ answer }) => {
  const marker = answer.form.opens[0] ?? '';
  it.each(Object.keys(hostile))('reads 1 MiB of %s with four times the work of 256 KiB', (title) => {
    const make = hostile[title]!;
    for (const bound of [false, true]) {
      const small = charactersRead(make(answer.output, marker === '' ? '{' : marker, 256 * kib), answer, bound);
      const large = charactersRead(make(answer.output, marker === '' ? '{' : marker, 1024 * kib), answer, bound);
      expect(large / small, bound ? 'bound' : 'held').toBeLessThan(5);
    }
  });
});
