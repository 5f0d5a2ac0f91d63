const mostCharacters = 200;

/**
 * Gives every document of a request a name that Converse takes: letters, digits, single spaces, `- ( ) [ ]`, at most 200
 * characters, none twice. Letters are those of ASCII, which is what every region is known to take.
 */
export function createDocumentNamer(): (title: string | undefined) => string {
  const taken = new Set<string>();
  return (title) => {
    const clean = (title ?? '')
      .normalize('NFKD')
      .replace(/[^a-zA-Z0-9\-()[\] ]+/g, ' ')
      .replace(/ +/g, ' ')
      .trim()
      .slice(0, mostCharacters)
      .trim();
    const base = clean === '' ? 'document' : clean;
    let name = base;
    for (let count = 2; taken.has(name); count++) {
      const suffix = ` (${count})`;
      name = base.slice(0, mostCharacters - suffix.length).trimEnd() + suffix;
    }
    taken.add(name);
    return name;
  };
}
