import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readQuestion } from '../../src/cli/decide.ts';
import { createHarness, type Harness, testConfig } from '../http/harness.ts';
import { runCli } from '../support/run-cli.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ apiKeys: ['secret-key'] });
});
afterEach(() => harness.close());

/** What `hearth decide tiny` prints with a text on stdin, and its exit code. */
async function run(...words: string[]) {
  const { port } = new URL(await harness.http.listen());
  const config = testConfig({ port: Number(port), apiKeys: ['secret-key'] });
  return runCli(config, ['decide', 'tiny', ...words], 'The invoice is wrong.');
}

describe('hearth decide', () => {
  it.each([
    ['Is it urgent?', { type: 'yes_no', question: 'Is it urgent?' }],
    ['Topic? [billing, sales]', { type: 'choice', question: 'Topic?', options: ['billing', 'sales'] }],
    ['How bad? [low < middle < high]', { type: 'score', question: 'How bad?', levels: ['low', 'middle', 'high'] }],
    ['Is [this] right?', { type: 'yes_no', question: 'Is [this] right?' }],
  ])('reads %j', (typed, question) => {
    expect(readQuestion(typed)).toEqual(question);
  });

  it('asks all questions about the text on stdin in one request, and prints what is likely', async () => {
    const { text, code } = await run(
      '--question',
      'Urgent?',
      '--question',
      'Topic? [billing, sales]',
      '--question',
      'Bad? [low < high]',
    );
    expect(harness.gateway.wholeCalls.map(({ request }) => request)).toMatchObject([
      {
        model: 'tiny',
        state: 'The invoice is wrong.',
        questions: [{ type: 'yes-no' }, { type: 'choice' }, { type: 'score' }],
      },
    ]);
    expect(text).toBe(
      'Urgent?  yes 66.7 %\nTopic?\n   66.7 %  billing\n   33.3 %  sales\nBad?  0.33 of 1\n   66.7 %  low\n   33.3 %  high\n',
    );
    expect(code).toBe(0);
  });

  it('prints JSON for programs', async () => {
    const { text } = await run('--json', '--question', 'Urgent?');
    expect(JSON.parse(text)).toMatchObject([{ type: 'yes_no', probabilities: [{ label: 'yes' }], label_mass: 0.75 }]);
  });

  it('says why a question has no answer, and ends with exit code 1', async () => {
    harness.gateway.playWhole({
      decide: () => ({
        model: 'tiny',
        decisions: [{ type: 'refused', reason: 'only 1 % fell on them.', labelMass: 0.01 }],
        promptTokens: 1,
        cachedTokens: 0,
        queueMs: 0,
      }),
    });
    const { text, code } = await run('--question', 'Urgent?');
    expect(text).toContain('no answer: only 1 % fell on them.');
    expect(code).toBe(1);
  });
});
