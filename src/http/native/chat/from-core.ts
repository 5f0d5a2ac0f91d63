import type { Answer } from '../../../core/events.ts';
import { type AnswerFacts, toAbout, toContent } from '../generate/generate.ts';

/** A whole answer of `/chat`. */
export function toChatAnswer(answer: Answer, facts: AnswerFacts) {
  const { text, ...rest } = toContent(answer);
  return { message: { role: 'assistant' as const, content: text, ...rest }, ...toAbout(answer, facts) };
}
