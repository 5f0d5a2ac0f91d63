/** More are not named anywhere. */
const mostNames = 32;

/**
 * Names of the fields of what a client sent that are not in what its schema kept, at any depth: `messages.citations` for a
 * field of an item of `messages`. A field that is null or an empty list counts as absent. `path`: where the value stands; empty for a body.
 */
export function droppedIn(sent: unknown, kept: unknown, path = ''): string[] {
  const names = new Set<string>();
  collect(sent, kept, path, names);
  return [...names];
}

function collect(sent: unknown, kept: unknown, path: string, names: Set<string>): void {
  // What a schema takes as it is, it hands on as it is.
  if (sent === kept || names.size >= mostNames) return;
  if (Array.isArray(sent) && Array.isArray(kept)) {
    for (const [index, item] of sent.entries()) {
      if (typeof item === 'object') collect(item, kept[index], path, names);
    }
  } else if (isPlain(sent) && isPlain(kept)) {
    for (const [name, value] of Object.entries(sent)) {
      const inside = path === '' ? name : `${path}.${name}`;
      if (Object.hasOwn(kept, name)) collect(value, kept[name], inside, names);
      else if (saysSomething(value) && names.size < mostNames) names.add(inside);
    }
  }
}

function saysSomething(value: unknown): boolean {
  return value !== null && !(Array.isArray(value) && value.length === 0);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
