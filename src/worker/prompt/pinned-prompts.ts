import { textOf } from '../../core/content.ts';
import type { WorkerRequest } from '../../ipc/protocol.ts';
import { commonLength } from '../sequence/sequence.ts';

/** Reading fewer tokens than this costs less than a file. */
const minPinnedTokens = 64;

/**
 * Leading tokens of a prompt that are kept from the first time on, whatever they cost; 0 for none. Either the request
 * pins its prompt itself (all but the last token, which has to be evaluated anyway), or it begins with one of
 * `pinnedPrompts`: as its first message, or as the text to continue. Then they reach to the end of that text, tools and
 * whatever else the template puts in front included.
 * `pieces`: the rendered prompt. `tokenize`: the same that made `prompt` of it.
 */
export function countPinned(
  rendered: { request: WorkerRequest; pieces: readonly string[]; prompt: readonly number[] },
  tokenize: (pieces: readonly string[]) => number[],
  pinnedPrompts: readonly string[],
): number {
  const { request, pieces, prompt } = rendered;
  if (request.promptCache === 'none') return 0;
  if (request.promptCache === 'pin') return atLeast(prompt.length - 1);
  const beginning = beginningOf(request).trim();
  const lengths = pinnedPrompts
    .map((text) => text.trim())
    .filter((text) => beginning.startsWith(text))
    .map((text) => commonLength(tokenize(throughText(pieces, text)), prompt));
  return atLeast(Math.max(0, ...lengths));
}

const atLeast = (tokens: number): number => (tokens < minPinnedTokens ? 0 : tokens);

function beginningOf({ input }: WorkerRequest): string {
  if (input.type === 'text') return typeof input.prompt === 'string' ? input.prompt : '';
  const [first] = input.messages;
  return first ? textOf(first.content) : '';
}

/** The pieces up to the end of the first place where `text` stands; none when the template has changed the text. */
function throughText(pieces: readonly string[], text: string): string[] {
  const start = pieces.join('').indexOf(text);
  if (start < 0) return [];
  const kept: string[] = [];
  let left = start + text.length;
  for (const piece of pieces) {
    if (left <= 0) break;
    kept.push(piece.slice(0, left));
    left -= piece.length;
  }
  return kept;
}
