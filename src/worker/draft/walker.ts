import { type CharacterNode, type Grammar, type GrammarNode, holds } from './gbnf.ts';

/** Where a text may stand in a grammar: every place from which its next character can come. */
export interface GrammarPlaces {
  readonly places: readonly Place[];
  /** The text may end here. */
  readonly canEnd: boolean;
}

/** A literal at one of its characters, or a class, and what follows it. */
interface Place extends Frame {
  node: CharacterNode | (GrammarNode & { type: 'literal' });
}

/** `node` is to be matched from `at` on: the item of a sequence, the character of a literal, the turn of a repetition. */
interface Frame {
  id: number;
  node: GrammarNode;
  at: number;
  /** What comes after it; null: the end of the text. */
  next: Frame | null;
}

export interface GrammarWalker {
  readonly start: GrammarPlaces;
  /** One character further; null when the grammar does not allow it, or leaves too many places open to follow. */
  advance(from: GrammarPlaces, code: number): GrammarPlaces | null;
}

/** More places than this are too slow to follow in here; a list of a thousand names has one per first letter. */
const maxPlaces = 128;
/** Equal frames are one as long as they are remembered; then they only cost more. */
const maxFrames = 20_000;

/** Follows a text through a grammar, character by character, all its parses at a time. Null when there are too many. */
export function createGrammarWalker(grammar: Grammar): GrammarWalker | null {
  const frames = new Map<string, Frame>();
  let nextId = 1;
  const frame = (node: GrammarNode, at: number, next: Frame | null): Frame => {
    const key = `${node.id},${at},${next?.id ?? 0}`;
    let found = frames.get(key);
    if (!found) {
      if (frames.size >= maxFrames) frames.clear();
      found = { id: nextId++, node, at, next };
      frames.set(key, found);
    }
    return found;
  };

  /** The places that a set of frames begins with. */
  const open = (begin: readonly (Frame | null)[]): GrammarPlaces | null => {
    const places: Place[] = [];
    const seen = new Set<number>();
    const work = [...begin];
    let canEnd = false;
    while (work.length > 0) {
      const current = work.pop()!;
      if (current === null) {
        canEnd = true;
        continue;
      }
      if (seen.has(current.id)) continue;
      seen.add(current.id);
      if (isPlace(current)) {
        places.push(current);
        if (places.length > maxPlaces) return null;
      } else work.push(...inside(current));
    }
    return { places, canEnd };
  };

  /** What a frame that reads no character itself leads to. */
  const inside = ({ node, at, next }: Frame): (Frame | null)[] => {
    switch (node.type) {
      case 'rule':
        return [frame(grammar.rule(node.name), 0, next)];
      case 'choice':
        return node.items.map((item) => frame(item, 0, next));
      case 'sequence': {
        const item = node.items[at];
        if (!item) return [next];
        // Nothing is left behind by the last item: a list of any length stays as deep as its nesting.
        return [frame(item, 0, at + 1 === node.items.length ? next : frame(node, at + 1, next))];
      }
      case 'repeat': {
        // Without an upper bound only the count up to the lower one matters.
        const turn = node.max === Number.POSITIVE_INFINITY ? Math.min(at + 1, node.min) : at + 1;
        const again = at < node.max ? [frame(node.item, 0, frame(node, turn, next))] : [];
        return at >= node.min ? [next, ...again] : again;
      }
      default:
        // An empty literal.
        return [next];
    }
  };

  const start = open([frame(grammar.root, 0, null)]);
  return (
    start && {
      start,
      advance(from, code) {
        const following = from.places.flatMap(({ node, at, next }) => {
          if (node.type === 'characters') return holds(node, code) ? [next] : [];
          if (node.codes[at] !== code) return [];
          return [at + 1 < node.codes.length ? frame(node, at + 1, next) : next];
        });
        return following.length === 0 ? null : open(following);
      },
    }
  );
}

function isPlace(frame: Frame): frame is Place {
  return frame.node.type === 'characters' || (frame.node.type === 'literal' && frame.at < frame.node.codes.length);
}

/** The one character that a place takes, or null when it takes several. */
export function onlyCharacter({ node, at }: GrammarPlaces['places'][number]): number | null {
  if (node.type === 'literal') return node.codes[at]!;
  const [range] = node.ranges;
  return !node.negated && node.ranges.length === 1 && range![0] === range![1] ? range![0] : null;
}

const isBlankCode = (code: number) => code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;

/** Whether a place takes nothing but white space. */
export function isBlank({ node, at }: GrammarPlaces['places'][number]): boolean {
  if (node.type === 'literal') return isBlankCode(node.codes[at]!);
  return !node.negated && node.ranges.every(([from, to]) => from === to && isBlankCode(from));
}
