import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { installedTypes, pinnedApis, recordedFile } from '../support/pinned-types.ts';

// Records the types of the installed clients' requests, one a line; to be run when a pin moves.
for (const api of pinnedApis) {
  const lines = Object.entries(installedTypes(api)).map(
    ([name, keys]) => `  ${JSON.stringify(name)}: ${JSON.stringify(keys.join(' '))}`,
  );
  mkdirSync(dirname(recordedFile(api)), { recursive: true });
  writeFileSync(recordedFile(api), `{\n${lines.join(',\n')}\n}\n`);
}
