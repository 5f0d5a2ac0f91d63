import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cleanEnvironment, repositoryRoot } from '../support/server.ts';

const script = join(repositoryRoot, 'scripts/require-node.mjs');
const run = (node: string) => spawnSync(node, [script], { encoding: 'utf8', env: cleanEnvironment() });

/** A Node on the PATH that is older than 24, or null. npm puts the project's own Node first, so all are looked at. */
function olderNode(): { path: string; version: string } | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'node');
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
    const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? Number.NaN);
    if (major < 24) return { path, version };
  }
  return null;
}

describe('require-node', () => {
  it('says nothing on a Node that is new enough', () => {
    const { status, stdout, stderr } = run(process.execPath);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  const older = olderNode();
  it.skipIf(older === null)(
    `refuses an older Node with one line that names both versions${older ? '' : ' (skipped: no older Node on the PATH)'}`,
    () => {
      const { status, stdout, stderr } = run(older!.path);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toBe(
        `Hearth needs Node 24 or newer; this is ${older!.version}. Run it through npm (npm ci installs Node 24): npm start\n`,
      );
    },
  );
});
