import type { GpuFiles } from '../../src/machine/gpu/nodes.ts';

/**
 * A machine's files by path: text, or `-> target` for a link (whose own folder is listed as if it were one).
 * `closed`: nodes that this process may not open.
 */
export function machine(tree: Record<string, string>, closed: readonly string[] = []): GpuFiles {
  const isLink = (text: string | undefined) => text?.startsWith('-> ') === true;
  return {
    read: (path) => (isLink(tree[path]) ? null : (tree[path] ?? null)),
    list: (path) => {
      const below = Object.keys(tree).filter((name) => name.startsWith(`${path}/`));
      return [...new Set(below.map((name) => name.slice(path.length + 1).split('/')[0]!))].sort();
    },
    linkName: (path) => (isLink(tree[path]) ? tree[path]!.split('/').at(-1)! : null),
    canOpen: (path) => path in tree && !closed.includes(path),
  };
}
