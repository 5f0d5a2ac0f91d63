import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.ts';
import type { CloudConfig } from '../../src/config/providers.ts';

/** What a configuration file with this text says of other services. */
export function cloudConfigOf(text: string, env: Record<string, string> = {}): CloudConfig {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-cloud-config-'));
  try {
    const file = join(folder, 'hearth.yaml');
    writeFileSync(file, text);
    return loadConfig({ flags: { config: file }, env, cwd: folder }).cloud;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
