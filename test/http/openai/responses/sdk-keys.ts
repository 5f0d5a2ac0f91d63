import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../support/server.ts';

/** The keys of an object of the pinned SDK, as its type file declares them. */
export interface DeclaredKeys {
  required: string[];
  optional: string[];
}

const typeFile = join(repositoryRoot, 'node_modules/openai/resources/responses/responses.d.ts');

/** Every interface of the SDK's responses by its name. */
export function readSdkKeys(): ReadonlyMap<string, DeclaredKeys> {
  const source = readFileSync(typeFile, 'utf8');
  const found = new Map<string, DeclaredKeys>();
  for (const [, name, body] of source.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) {
    const keys: DeclaredKeys = { required: [], optional: [] };
    // Members of the interface itself are indented once.
    for (const [, key, mark] of body!.matchAll(/^ {4}(\w+)(\??): /gm)) {
      keys[mark === '?' ? 'optional' : 'required'].push(key!);
    }
    found.set(name!, keys);
  }
  return found;
}
