import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/server.ts';

/** The status with which services say that their configuration is wrong (`EX_CONFIG`). */
const wrongBox = 78;

/** A folder as an image has it, with programs in front of the system's that say what another box would. */
describe.skipIf(process.platform !== 'linux')('the start of a container', () => {
  let folder: string;
  const program = (path: string, text: string) => {
    writeFileSync(join(folder, path), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, path), 0o755);
  };
  /** Programs of a box on which nothing is wrong, and which is not root's. */
  const usual: Record<string, string> = {
    id: 'case $1 in -u) echo 1000 ;; -g) echo 100 ;; esac',
    uname: 'case $1 in -m) echo x86_64 ;; -r) echo 5.10.60-qnap ;; esac',
    getconf: 'echo 4096',
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-container-'));
    for (const name of ['docker', 'bin', 'node_modules/.bin', 'data', 'models']) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    copyFileSync(join(repositoryRoot, 'docker/entrypoint.sh'), join(folder, 'docker/entrypoint.sh'));
    for (const [name, text] of Object.entries(usual)) program(`bin/${name}`, text);
    program('node_modules/.bin/node', 'exit 0');
    program('docker/command.sh', 'echo "command: $*"');
    program(
      'hearth',
      `case $1$2@$HEARTH_HOST in
        keylist@127.0.0.1) echo '[]' ;;
        keycreate@127.0.0.1) echo sk-hearth-made ;;
        key*) exit 1 ;;
        *) echo "started: $* on $HEARTH_HOST as $USED"; umask ;;
      esac`,
    );
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function start(args: string[] = ['serve'], environment: Record<string, string> = {}) {
    const { status, stdout, stderr } = spawnSync('sh', [join(folder, 'docker/entrypoint.sh'), ...args], {
      encoding: 'utf8',
      env: {
        PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
        HEARTH_DATA: join(folder, 'data'),
        HEARTH_MODELS: join(folder, 'models'),
        HEARTH_HOST: '0.0.0.0',
        ...environment,
      },
    });
    return { status, stdout, said: stderr };
  }

  it('says what it found, and starts the server', () => {
    const { status, stdout, said } = start();
    expect(status).toBe(0);
    expect(stdout).toContain('started: serve on 0.0.0.0');
    expect(said).toMatch(/processor x86_64, pages of 4096 bytes/);
    expect(said).toMatch(/user 1000, group 100\n/);
    expect(said).toMatch(/free: \d+ MiB for data, \d+ MiB for models/);
    expect(said).toMatch(/memory \d+ MiB, limit of the container: (none|\d+ MiB)/);
  });

  it('leaves nothing in the folders', () => {
    start(['serve'], { HEARTH_API_KEY: 'secret' });
    expect(existsSync(join(folder, 'data/.hearth-writes'))).toBe(false);
  });

  it.each([
    ['a processor without binaries', 'uname', 'echo armv7l', /processor is armv7l/],
    ['pages of 32 KiB', 'getconf', 'echo 32768', /pages of 32 KiB/],
    ['a kernel before 3.17', 'uname', 'case $1 in -m) echo aarch64 ;; -r) echo 3.10.108 ;; esac', /3\.10\.108.*3\.17/],
  ])('stops at %s, and says why', (_what, name, text, reason) => {
    program(`bin/${name}`, text);
    const { status, stdout, said } = start();
    expect(status).toBe(wrongBox);
    expect(said).toMatch(reason);
    expect(stdout).not.toContain('started');
  });

  it('goes on where a kernel is old but works', () => {
    program('bin/uname', 'case $1 in -m) echo x86_64 ;; -r) echo 4.2.8 ;; esac');
    const { status, said } = start();
    expect(status).toBe(0);
    expect(said).toMatch(/4\.2\.8 is older/);
  });

  it('explains an engine that lets Node start no thread', () => {
    program('node_modules/.bin/node', 'exit 134');
    const { status, said } = start();
    expect(status).toBe(wrongBox);
    expect(said).toMatch(/status 134.*clone3.*seccomp=unconfined/);
  });

  it('names the owner of a data folder that it cannot write, and what mends it', () => {
    const { status, said } = start(['serve'], { HEARTH_DATA: '/proc' });
    expect(status).toBe(wrongBox);
    expect(said).toMatch(/\/proc cannot be written by user 1000, group 100: it belongs to 0:0, mode 555/);
    expect(said).toContain('chown -R 1000:100');
  });

  it('reads models from a folder that it cannot write', () => {
    const { status, said } = start(['serve'], { HEARTH_MODELS: '/proc' });
    expect(status).toBe(0);
    expect(said).toMatch(/\/proc cannot be written.*nothing can be pulled/);
  });

  it('makes the first key and shows it once', () => {
    expect(start().said).toContain('it is not shown again: sk-hearth-made');
    writeFileSync(join(folder, 'data/keys.json'), '[]');
    expect(start().said).not.toContain('sk-hearth-made');
  });

  it.each([{ HEARTH_API_KEY: 'secret' }, { HEARTH_API_KEY_FILE: '/run/secrets/key' }, { HEARTH_ALLOW_ANONYMOUS: '1' }])(
    'makes none with %j',
    (given) => {
      expect(start(['serve'], given as Record<string, string>).said).not.toContain('sk-hearth-made');
    },
  );

  it('makes none where the configuration has some', () => {
    program('hearth', `case $1$2 in keylist) echo '[{"name":"mine"}]' ;; keycreate) echo sk-hearth-made ;; esac`);
    expect(start().said).not.toContain('sk-hearth-made');
  });

  it('runs commands for people at once', () => {
    const { stdout, said } = start(['ps', '--json']);
    expect(stdout).toBe('command: ps --json\n');
    expect(said).toBe('');
  });

  it('gives new files the rights that UMASK asks for', () => {
    expect(start(['serve'], { UMASK: '007' }).stdout).toMatch(/^0007$/m);
  });

  describe('as root', () => {
    beforeEach(() => {
      program('bin/id', 'echo 0');
      program(
        'bin/setpriv',
        'while case $1 in --*) true ;; *) false ;; esac; do used="$used $1"; shift; done; USED=$used exec "$@"',
      );
      program('bin/chown', `echo "$*" >>${join(folder, 'chowned')}`);
    });

    it('starts the server as whom PUID and PGID name', () => {
      const { status, stdout } = start(['serve'], { PUID: '99', PGID: '100' });
      expect(status).toBe(0);
      expect(stdout).toContain('on 0.0.0.0 as  --reuid=99 --regid=100 --clear-groups');
    });

    it('starts it as a user of its own where nobody is named', () => {
      expect(start().stdout).toContain('on 0.0.0.0 as  --reuid=10001 --regid=10001');
    });
  });
});
