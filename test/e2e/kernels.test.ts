import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probe } from '../../scripts/kernels/check.ts';
import { compilersHere, requireTools } from '../../scripts/kernels/compile.ts';
import type { TextLogits } from '../../scripts/kernels/engine-trial.ts';
import { kernelFolders, stateOf } from '../../scripts/kernels/folders.ts';
import { expectEqualAnswers } from '../support/equal-answers.ts';
import { copyInstallation } from '../support/installation-copy.ts';
import { realModels } from '../support/models.ts';
import { repositoryRoot } from '../support/server.ts';
import { householdText, logitsDistance } from '../support/text-logits.ts';
import { startTrial, type Trial, trialModels } from '../support/trial-models.ts';

const builtInModel = join(repositoryRoot, 'models/hearth-guide-3m-q8_0.gguf');

/** Why kernels cannot be built here; null when they can. */
function obstacle(): string | null {
  if (kernelFolders(repositoryRoot).length === 0) return 'the library has no kernels to choose from here';
  try {
    requireTools(process.env);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
const skip = obstacle();

/** Why a row may depend on its neighbours here all the same; null when it may not. */
const dependence = ['x64', 'arm64'].includes(process.arch) ? null : 'only on x64 and ARM';
const skipAlone = skip === null ? dependence : 'nothing is built';
const real = realModels();

/** What SmolLM2 predicts of a text that is read in such portions, with the kernels that are installed now. */
function readText(trial: Trial, portions: readonly number[]) {
  if ('skip' in real) return [];
  const model = join(real.folder, 'smollm2-135m-instruct-q4_1.gguf');
  return portions.map((portion) => trial.readText(model, folder, { text: householdText, portion }));
}

let temporary: string;
let root: string;
let folder: string;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'hearth-kernels-e2e-'));
  root = join(temporary, 'an installation');
  if (skip !== null) return;
  copyInstallation(root);
  folder = kernelFolders(root)[0]!;
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

async function buildKernels(args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const script = join(repositoryRoot, 'scripts/kernels/build.ts');
  const child: ChildProcess = spawn(process.execPath, [script, '--root', root, ...args], {
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

/** A compiler that makes nothing of the kernels' files: what is linked of them has no entry that a loader could find. */
function hollow(compiler: string): string {
  const script = join(temporary, `hollow-${basename(compiler)}`);
  const lines = [
    '#!/bin/sh',
    'case "$*" in *"/ggml-cpu/"*" -c "* | *" -c "*"/ggml-cpu/"*)',
    '  while [ $# -gt 1 ]; do case "$1" in -o) object=$2;; -MF) touch "$2";; esac; shift; done',
    `  echo "static int nothing;" | ${compiler} -fPIC -x c -c -o "$object" -; exit;;`,
    'esac',
    `exec ${compiler} "$@"`,
  ];
  writeFileSync(script, lines.join('\n'), { mode: 0o755 });
  return script;
}

describe.skipIf(skip !== null)(`kernels that are built here${skip === null ? '' : ` (skipped: ${skip})`}`, () => {
  describe("in the place of the library's", () => {
    let before: Awaited<ReturnType<typeof probe>>;
    let name: string;
    let stock: Buffer;
    let built: Awaited<ReturnType<typeof buildKernels>>;
    let trial: Trial;
    let library: TextLogits[];
    beforeAll(async () => {
      before = await probe(root, builtInModel);
      name = basename(before.kernels!);
      stock = readFileSync(before.kernels!);
      trial = await startTrial();
      library = readText(trial, [256, 32]);
      // Which compiler makes the faster ones, and whether any does, is for the machine to say (`choose.test.ts`).
      built = await buildKernels(['--keep-slower']);
    }, 900_000);
    afterAll(() => trial.remove());

    it('predict the same', async () => {
      expect(dirname(before.kernels!)).toBe(folder);
      expect(built).toMatchObject({ code: 0, output: expect.stringContaining('the built-in model predicts the same') });
      const compilers = compilersHere(process.env).length;
      expect(built.output.match(/prompts \d+ tokens\/s, answers \d+\.\d tokens\/s/g)).toHaveLength(1 + compilers);
      expect(built.output).toMatch(/measured the library[\s\S]*stay\n/);
      expect(stateOf(folder, name)).toBe('patched');
      expect(readFileSync(before.kernels!).equals(stock)).toBe(false);
      expect(await probe(root, builtInModel)).toMatchObject({ kernels: before.kernels });
      expect(await buildKernels()).toMatchObject({ code: 0, output: expect.stringContaining('built before') });
    });

    describe.skipIf(skipAlone !== null)(
      `make of a token what they make of it alone${skipAlone === null ? '' : ` (skipped: ${skipAlone})`}`,
      () => {
        it.each(trialModels)(
          'bit by bit, whatever stands beside it: $name',
          (model) => {
            const { rows, problem } = trial.tryModel(model, folder);
            expect(problem).toBeNull();
            expect(rows).toBeGreaterThan(200);
          },
          900_000,
        );

        it.skipIf('skip' in real)('bit by bit, in whatever portions a real model reads', () => {
          const [whole, cut] = readText(trial, [256, 32]) as [TextLogits, TextLogits];
          expect(Buffer.from(cut.logits.buffer).equals(Buffer.from(whole.logits.buffer))).toBe(true);
        });

        it('word by word, greedily and from a seed, in any schedule', async () => {
          await expectEqualAnswers({ root, count: 2 });
        }, 900_000);
      },
    );

    it.skipIf('skip' in real)(
      `lie no further from the library's than those do from themselves in other portions${'skip' in real ? ` (skipped: ${real.skip})` : ''}`,
      () => {
        const [ours] = readText(trial, [256]);
        const [whole, cut] = library as [TextLogits, TextLogits];
        const [own, found] = [logitsDistance(whole, cut), logitsDistance(whole, ours!)];
        expect(found.divergence).toBeLessThan(1.5 * own.divergence);
        expect(found.rootMeanSquare).toBeLessThan(1.5 * own.rootMeanSquare);
        expect(found.sameFirst).toBeGreaterThan(0.9);
        // Of 300 tokens a perplexity says no more than this: five times what chance makes of such a divergence.
        const error = Math.sqrt((2 * own.divergence) / whole.tokens);
        expect(Math.abs(found.logPerplexity)).toBeLessThan(5 * error);
      },
    );

    it('go again', async () => {
      expect(await buildKernels(['--restore'])).toMatchObject({ code: 0, output: expect.stringContaining(name) });
      expect(readFileSync(before.kernels!).equals(stock)).toBe(true);
      expect(await probe(root, builtInModel)).toEqual(before);
    });
  });

  it('are taken back when the library does not load them', async () => {
    const { kernels } = await probe(root, builtInModel);
    const stock = readFileSync(kernels!);
    const { CC = 'cc', CXX = 'c++' } = compilersHere(process.env)[0]!;
    const { code, output } = await buildKernels([], { CC: hollow(CC), CXX: hollow(CXX) });
    expect({ code, output }).toMatchObject({
      code: 1,
      output: expect.stringContaining("The library's own kernels are back"),
    });
    expect(readFileSync(kernels!).equals(stock)).toBe(true);
    expect(stateOf(folder, basename(kernels!))).toBe('stock');
  }, 900_000);

  it('leave everything as it was when the compilers that are named are not there', async () => {
    const before = readdirSync(folder);
    const { code, output } = await buildKernels([], { CC: 'cc', CXX: 'false' });
    expect(code).toBe(1);
    expect(output).toMatch(/CC and CXX name compilers, but cc and false are not both here/);
    expect(readdirSync(folder)).toEqual(before);
  });
});
