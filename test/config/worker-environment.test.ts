import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { workerEnvironment } from '../../src/config/worker-environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-worker-env-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('has what drivers read, and no secret: neither by its name nor by its value', () => {
  const kept = {
    PATH: '/usr/bin:/bin',
    LD_LIBRARY_PATH: '/opt/cuda/lib64',
    CUDA_VISIBLE_DEVICES: '0',
    VK_ICD_FILENAMES: '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json',
    HOME: '/root',
    KEYBOARD: 'de',
    // Shorter than any secret is, and part of one.
    SHORT: 'bearer',
  };
  const secrets = {
    HEARTH_API_KEY: 'client-key',
    HEARTH_DATA: '/data',
    OPENAI_API_KEY: 'sk-openai',
    GITHUB_TOKEN: 'ghp',
    DB_PASSWORD: 'x',
    AWS_SESSION_TOKEN: 'y',
    DATABASE_URL: 'postgres://hearth:pass@db/hearth',
    MINE: 'provider-key-of-a-strange-name',
    TEAM: 'team-header',
    PART: 'a-bearer-token',
    SEALING: 'seal-key-of-a-strange-name-123456',
  };
  const file = join(folder, 'hearth.yaml');
  writeFileSync(
    file,
    'storage: { seal_key: "${SEALING}" }\nproviders:\n  openai:\n    api_key: ${MINE}\n    headers: { x-team: "${TEAM}", x-auth: "bearer ${PART}" }\n',
  );
  const env = { ...kept, ...secrets };
  const config = loadConfig({ flags: { config: file }, env: { ...env, HEARTH_DATA: folder }, cwd: folder });
  expect(workerEnvironment(env, config)).toEqual(kept);
});
