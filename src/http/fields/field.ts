/** A client chooses the length of its keys; an error need not repeat all of one. */
const maxLength = 200;

/** The name of a field in an error, as the client would write it: `messages.0.content`; empty for the body itself. */
export function fieldOf(path: readonly PropertyKey[]): string {
  const field = path.map(String).join('.');
  return field.length <= maxLength ? field : `${field.slice(0, maxLength)}…`;
}
