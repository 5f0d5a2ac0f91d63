import { describe, expect, it } from 'vitest';
import { mappedDialects } from '../../../scripts/bench/mapping-dialects.ts';
import { type AnswerKind, answerEvents, answerKinds } from '../../../scripts/bench/mapping-events.ts';
import { textOf, toolCallsOf } from '../../../src/core/content.ts';
import { foldEvents, type StreamEvent } from '../../../src/core/events.ts';

async function* inOrder(events: readonly StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events;
}

/** Deltas, which stand for tokens. */
const deltasOf = (kind: AnswerKind, tokens: number) =>
  answerEvents(kind, tokens).filter(({ type }) => type.endsWith('-delta')).length;

describe('the answers of the mapping bench', () => {
  it.each(answerKinds)('have as many deltas as tokens: %s', (kind) => {
    expect(deltasOf(kind, 101)).toBe(101);
  });

  it('are answers as a provider gives them', async () => {
    const written = await foldEvents(inOrder(answerEvents('tool call', 50)));
    expect(toolCallsOf(written.choices[0].blocks)[0]?.arguments).toMatchObject({
      content: expect.stringMatching(/^ the/),
    });
    const weighed = await foldEvents(inOrder(answerEvents('log probabilities', 50)));
    expect(weighed.choices[0].logprobs).toHaveLength(50);
    expect(textOf(weighed.choices[0].blocks)).toHaveLength(weighed.usage.outputTokens! * 4);
  });
});

describe('the streams of the mapping bench', () => {
  const streams = mappedDialects.flatMap((dialect) =>
    dialect.kinds.map((kind) => ({ dialect, kind, name: dialect.name })),
  );

  it.each(streams)('grow with each token: $name, $kind', async ({ dialect, kind }) => {
    const [short, long] = [
      await dialect.send(inOrder(answerEvents(kind, 20))),
      await dialect.send(inOrder(answerEvents(kind, 40))),
    ];
    expect(long - short).toBeGreaterThan(20 * 4);
  });

  it('break off where the events do', async () => {
    async function* broken(): AsyncGenerator<StreamEvent> {
      yield* answerEvents('text', 5).slice(0, 3);
      throw new Error('gone');
    }
    await expect(mappedDialects[0]!.send(broken())).rejects.toThrow('broke off');
  });
});
