/** A name without the tag that Ollama's clients add to names without one. */
export function withoutLatest(name: string): string {
  return name.replace(/:latest$/i, '');
}

/** How names of made models are compared: as other names are, and `:latest` is the same as no tag. */
export function madeNameKey(name: string): string {
  return withoutLatest(name).normalize('NFC').toLowerCase();
}
