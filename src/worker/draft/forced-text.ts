import type { DraftSource } from '../sequence/sequence.ts';
import type { BoundGrammar } from './binding.ts';
import { readGrammar } from './gbnf.ts';
import { createLayout } from './layout.ts';
import { createTextReader, type TextReader } from './text-reader.ts';
import { createGrammarWalker, type GrammarPlaces, type GrammarWalker, isBlank, onlyCharacter } from './walker.ts';

/** Guesses at the text that a grammar leaves no choice about: keys, quotes, braces, the rest of a list's entry. */
interface ForcedTexts {
  source(grammar: BoundGrammar, generated: readonly number[]): DraftSource;
}

/** A larger grammar takes too long to read for what it brings. */
const maxGrammarCharacters = 64 * 1024;
/** Grammars that are kept read: a schema comes again with the next request. */
const maxGrammars = 8;
/** Longer than any token is on average: text beyond what was asked for is not looked at. */
const charactersPerToken = 8;

/**
 * `bytesOf`: exact bytes of a token, null when unknown. `tokenize`: as the model writes text that goes on in the middle
 * of a line. Other tokens of the same text cost a step's guesses, never text.
 */
export function createForcedTexts(deps: {
  bytesOf: (token: number) => Uint8Array | null;
  tokenize: (text: string) => number[];
}): ForcedTexts {
  const walkers = new Map<string, GrammarWalker | null>();
  const walkerOf = (gbnf: string): GrammarWalker | null => {
    if (gbnf.length > maxGrammarCharacters) return null;
    const known = walkers.get(gbnf);
    walkers.delete(gbnf);
    const walker = known === undefined ? readWalker(gbnf) : known;
    walkers.set(gbnf, walker);
    if (walkers.size > maxGrammars) walkers.delete(walkers.keys().next().value!);
    return walker;
  };

  return {
    source(grammar, generated) {
      let reader: TextReader | null = null;
      let walker: GrammarWalker | null = null;
      let id: number | null = null;
      let read = 0;
      return {
        propose(maxTokens) {
          const { binding } = grammar;
          if (!binding) return [];
          if (binding.id !== id) {
            id = binding.id;
            read = binding.from;
            walker = walkerOf(binding.gbnf);
            reader = walker && createTextReader(walker, createLayout());
          }
          for (; reader && read < generated.length; read++) {
            const bytes = deps.bytesOf(generated[read]!);
            // Text that this reading of the grammar does not know: nothing more can be foreseen.
            if (!bytes || !reader.push(bytes)) reader = null;
          }
          if (!reader || !walker) return [];
          const text = forcedText(walker, reader, maxTokens * charactersPerToken);
          return text === '' ? [] : deps.tokenize(text).slice(0, maxTokens);
        },
      };
    },
  };
}

/** The text that has to follow, in the layout that is used so far; at most about `maxCharacters`. */
export function forcedText(walker: GrammarWalker, reader: TextReader, maxCharacters: number): string {
  let places: GrammarPlaces | null = reader.places;
  let blanks = reader.blanks;
  let after = reader.after;
  let text = '';
  while (places && text.length < maxCharacters) {
    // White space that may come or not is written as the layout has it; what stands there already counts.
    const layout = hasChoiceOfBlanks(places) ? reader.layout.after(after) : blanks;
    if (!layout.startsWith(blanks)) break;
    const ahead = layout.slice(blanks.length);
    const code = onlySolid(places);
    // White space may rule characters out: what it leaves is not forced if there was more to choose from before it.
    if (code === null || onlySolid(walk(walker, places, ahead)) !== code) break;
    const added: string = ahead + String.fromCodePoint(code);
    text += added;
    places = walk(walker, places, added);
    blanks = '';
    after = code;
  }
  return text;
}

function walk(walker: GrammarWalker, from: GrammarPlaces, text: string): GrammarPlaces | null {
  let places: GrammarPlaces | null = from;
  for (const character of text) {
    if (places) places = walker.advance(places, character.codePointAt(0)!);
  }
  return places;
}

/** Whether white space may stand here, or not. */
function hasChoiceOfBlanks({ places }: GrammarPlaces): boolean {
  return places.some(isBlank) && places.some((place) => !isBlank(place));
}

/** The only character that may come, white space that may be left out aside; null when there are several or an end. */
function onlySolid(at: GrammarPlaces | null): number | null {
  if (!at || at.canEnd) return null;
  const solid = at.places.filter((place) => !isBlank(place));
  let only: number | null = null;
  for (const place of solid.length > 0 ? solid : at.places) {
    const code = onlyCharacter(place);
    if (code === null || (only !== null && only !== code)) return null;
    only = code;
  }
  return only;
}

function readWalker(gbnf: string): GrammarWalker | null {
  try {
    return createGrammarWalker(readGrammar(gbnf));
  } catch {
    // Not a form that is read here. The engine keeps the grammar all the same; there is only nothing to foresee.
    return null;
  }
}
