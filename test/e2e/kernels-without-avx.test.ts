import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type Compiled,
  type Compiler,
  compile,
  compilersHere,
  requireTools,
  unpackSource,
} from '../../scripts/kernels/compile.ts';
import { kernelFolders, patchFiles } from '../../scripts/kernels/folders.ts';
import { rootWithKernels } from '../../scripts/kernels/single-kernels.ts';
import { tryKernels } from '../../scripts/kernels/trial.ts';
import { repositoryRoot } from '../support/server.ts';
import { startTrial, type Trial, trialModels } from '../support/trial-models.ts';

const bundle = join(repositoryRoot, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');
/** What the Celerons of most boxes load. */
const kernels = 'libggml-cpu-sse42.so';

/** Why these kernels cannot be built here; null when they can. */
function obstacle(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'they are for Linux on x64';
  try {
    requireTools(process.env);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
const skip = obstacle();
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];
const sanitizing = skip === null ? compilersHere(process.env).find(hasSanitizers) : undefined;
const lacksEmulator = spawnSync('qemu-x86_64', ['--version']).status !== 0;

/** Debian's Clang comes without them: they are in a package of their own. */
function hasSanitizers({ CXX = 'c++' }: Compiler): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-sanitizers-'));
  try {
    const source = join(folder, 'nothing.cpp');
    writeFileSync(source, 'int main() { return 0; }\n');
    return spawnSync(CXX, [...sanitizers, source, '-o', join(folder, 'nothing')]).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(skip !== null)(
  `kernels for processors without AVX${skip === null ? '' : ` (skipped: ${skip})`}`,
  () => {
    let folder: string;
    let built: Compiled;
    const build = (name: string, compiler = compilersHere(process.env)[0]!) =>
      compile(join(folder, 'source'), join(folder, name), [kernels], compiler);
    const attempt = (emulator: string[] = [], { files, trial }: Compiled = built) => {
      // The same instructions: an emulator need not see every size.
      const options = emulator.length > 0 ? ['--invariant', '--brief'] : ['--invariant'];
      return tryKernels(trial, files.get(kernels)!, { emulator, options });
    };

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'hearth-kernels-without-avx-'));
      unpackSource(bundle, patchFiles(), join(folder, 'source'));
      built = build('build');
    }, 900_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('are as exact as plain code, and make of a row or a token alone what they make of it beside others', () => {
      expect(attempt()).toBeNull();
    });

    it.skipIf(lacksEmulator).each(['Nehalem', 'Denverton'])(
      `do so on a %s${lacksEmulator ? ' (skipped: no qemu-user)' : ''}`,
      (processor) => {
        expect(attempt(['qemu-x86_64', '-cpu', processor])).toBeNull();
      },
      900_000,
    );

    describe('in the place of all others', () => {
      let root: string;
      let trial: Trial;
      beforeAll(async () => {
        root = rootWithKernels(repositoryRoot, 'sse42', built.files.get(kernels)!);
        trial = await startTrial();
      }, 900_000);
      afterAll(() => {
        rmSync(root, { recursive: true, force: true });
        trial.remove();
      });

      it.each(['the built-in model', 'weights in Q4_1', 'weights in Q5_K'])(
        'make of a token bit by bit what they make of it alone: %s',
        (name) => {
          const model = trialModels.find((one) => one.name === name)!;
          const few = { ...model, options: [...model.options, '--schedules', '2'] };
          const { rows, problem } = trial.tryModel(few, kernelFolders(root)[0]!);
          expect(problem).toBeNull();
          expect(rows).toBeGreaterThan(100);
        },
        900_000,
      );
    });

    it.skipIf(sanitizing === undefined)(
      `read and write nothing beside their blocks, and do nothing that C leaves undefined${sanitizing ? '' : ' (skipped: no compiler has sanitizers)'}`,
      () => {
        vi.stubEnv('CFLAGS', sanitizers.join(' '));
        vi.stubEnv('CXXFLAGS', sanitizers.join(' '));
        try {
          expect(attempt([], build('build-sanitized', sanitizing))).toBeNull();
        } finally {
          vi.unstubAllEnvs();
        }
      },
      900_000,
    );
  },
);
