/** What the index holds: anything that is known by its tokens (at least one). */
interface Indexed {
  readonly tokens: Uint32Array;
}

/** Entries by their tokens. Compares real tokens, never hashes, so a match is a match. */
export interface PrefixIndex<T extends Indexed> {
  readonly size: number;
  /** Adds an entry; one with the same tokens is replaced. */
  add(entry: T): void;
  remove(entry: T): void;
  /**
   * The entry that shares the most leading tokens with the first `limit` of `tokens`, and how many; null when none
   * does. `canCut` tells whether an entry of that many tokens is of use when only its beginning matches (it must not
   * say no to a short entry and yes to a longer one); otherwise an entry counts only if all of it matches. Of several
   * that match equally far, the shortest is given. Takes time by the length of `tokens`, whatever the number of entries.
   */
  longest(
    tokens: readonly number[],
    limit: number,
    canCut: (entryTokens: number) => boolean,
  ): { entry: T; length: number } | null;
}

/** A run of tokens that all entries below share. */
interface Node<T> {
  label: Uint32Array;
  children: Map<number, Node<T>>;
  /** The entry that ends here. */
  entry: T | null;
  /** The shortest entry that ends here or below; null only in the root of an empty index. */
  shortest: T | null;
}

/** A radix tree over token sequences. */
export function createPrefixIndex<T extends Indexed>(): PrefixIndex<T> {
  const root: Node<T> = { label: new Uint32Array(0), children: new Map(), entry: null, shortest: null };
  let size = 0;

  /** The nodes from the root to the one that ends with the last of `tokens`, or null when there is none. */
  const pathTo = (tokens: Uint32Array): Node<T>[] | null => {
    const path = [root];
    let depth = 0;
    while (depth < tokens.length) {
      const child = path.at(-1)!.children.get(tokens[depth]!);
      if (!child || commonLength(child.label, tokens, depth, tokens.length) < child.label.length) return null;
      depth += child.label.length;
      path.push(child);
    }
    return path;
  };

  return {
    get size() {
      return size;
    },
    add(entry) {
      const { tokens } = entry;
      const path = [root];
      let depth = 0;
      while (depth < tokens.length) {
        const node = path.at(-1)!;
        const child = node.children.get(tokens[depth]!);
        if (!child) {
          // Copied, so that the tree keeps no array of an entry alive that has long been removed.
          const leaf: Node<T> = { label: tokens.slice(depth), children: new Map(), entry: null, shortest: null };
          node.children.set(tokens[depth]!, leaf);
          path.push(leaf);
          break;
        }
        const common = commonLength(child.label, tokens, depth, tokens.length);
        path.push(common < child.label.length ? split(node, child, common) : child);
        depth += common;
      }
      const end = path.at(-1)!;
      if (end.entry === null) size++;
      end.entry = entry;
      refreshShortest(path);
    },
    remove(entry) {
      const path = pathTo(entry.tokens);
      const end = path?.at(-1);
      if (!path || !end || end.entry !== entry) return;
      end.entry = null;
      size--;
      if (end.children.size === 0) {
        path.pop();
        path.at(-1)!.children.delete(end.label[0]!);
      }
      // Either the node itself or the parent that lost a child may now be a joint that joins nothing.
      if (path.length > 1) mergeWithOnlyChild(path.at(-1)!);
      refreshShortest(path);
    },
    longest(tokens, limit, canCut) {
      let best: { entry: T; length: number } | null = null;
      let node = root;
      let depth = 0;
      for (;;) {
        if (node.entry) best = { entry: node.entry, length: depth };
        else if (depth > 0 && canCut(node.shortest!.tokens.length)) best = { entry: node.shortest!, length: depth };
        if (depth >= limit) return best;
        const child = node.children.get(tokens[depth]!);
        if (!child) return best;
        const common = commonLength(child.label, tokens, depth, limit);
        depth += common;
        if (common < child.label.length) {
          return canCut(child.shortest!.tokens.length) ? { entry: child.shortest!, length: depth } : best;
        }
        node = child;
      }
    },
  };
}

/** How many tokens of `label` stand in `tokens` from `start` on, looking no further than `limit`. */
function commonLength(label: Uint32Array, tokens: ArrayLike<number>, start: number, limit: number): number {
  const end = Math.min(label.length, limit - start);
  let length = 0;
  while (length < end && label[length] === tokens[start + length]) length++;
  return length;
}

/** Cuts the run that leads to `child`; returns the new node above it. */
function split<T>(parent: Node<T>, child: Node<T>, length: number): Node<T> {
  const upper: Node<T> = { label: child.label.slice(0, length), children: new Map(), entry: null, shortest: null };
  child.label = child.label.slice(length);
  upper.children.set(child.label[0]!, child);
  parent.children.set(upper.label[0]!, upper);
  return upper;
}

function mergeWithOnlyChild<T>(node: Node<T>): void {
  if (node.entry !== null || node.children.size !== 1) return;
  const [child] = node.children.values();
  const label = new Uint32Array(node.label.length + child!.label.length);
  label.set(node.label);
  label.set(child!.label, node.label.length);
  node.label = label;
  node.entry = child!.entry;
  node.children = child!.children;
}

function refreshShortest<T extends Indexed>(path: readonly Node<T>[]): void {
  for (const node of path.toReversed()) {
    node.shortest = node.entry;
    if (node.shortest !== null) continue;
    for (const { shortest } of node.children.values()) {
      if (node.shortest === null || shortest!.tokens.length < node.shortest.tokens.length) node.shortest = shortest;
    }
  }
}
