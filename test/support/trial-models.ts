import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantizedTypes } from '../../scripts/bench/gguf/weights.ts';
import { writeModel } from '../../scripts/bench/gguf/write-model.ts';
import { syntheticTokenizer } from '../../scripts/gguf/synthetic-tokenizer.ts';
import { compileEngineTrial, compilersHere, unpackSource } from '../../scripts/kernels/compile.ts';
import { type EngineTrial, logitsOfText, type TextLogits, tryEngine } from '../../scripts/kernels/engine-trial.ts';
import { patchFiles } from '../../scripts/kernels/folders.ts';
import {
  textArchitectures,
  tinyFileName,
  writeTinyModels,
  writeWideExperts,
} from '../../scripts/tiny-models/models.ts';
import { builtInModel, builtInModels, realModels } from './models.ts';
import { repositoryRoot } from './server.ts';

/** A model whose rows are tried, and with which options of the trial. */
export interface TrialModel {
  name: string;
  /** In the folder that `startTrial` fills, or absolute. */
  file: string;
  options: readonly string[];
}

/** As wide as a block of the K types, so that they all fit. */
const wideFile = 'wide.gguf';
const expertsFile = 'experts.gguf';
const wideTypes = ['F32', 'F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'IQ4_NL'].concat([
  'Q2_K',
  'Q3_K',
  'Q4_K',
  'Q5_K',
  'Q6_K',
  'IQ4_XS',
]);
/** Those whose experts are multiplied in panels. */
const expertTypes = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'IQ4_NL', 'MXFP4', 'Q4_K', 'Q5_K', 'Q6_K'];
const real = realModels();

/** Each way of a model through the kernels. A running state, of mamba, hangs on nothing else either. */
export const trialModels: readonly TrialModel[] = [
  { name: 'the built-in model', file: join(builtInModels, `${builtInModel}-q8_0.gguf`), options: [] },
  ...textArchitectures.map((name) => ({ name: `a tiny ${name}`, file: tinyFileName(name), options: [] })),
  ...wideTypes.map((type) => ({
    name: `weights in ${type}`,
    file: wideFile,
    options: ['--as', type, '--schedules', '3'],
  })),
  ...expertTypes.map((type) => ({
    name: `experts in ${type}`,
    file: expertsFile,
    options: ['--as', type, '--schedules', '1'],
  })),
  { name: 'keys and values in Q8_0', file: wideFile, options: ['--keys', 'q8_0', '--schedules', '3'] },
  ...('skip' in real
    ? []
    : [
        {
          name: 'SmolLM2',
          file: join(real.folder, 'smollm2-135m-instruct-q4_1.gguf'),
          options: ['--schedules', '2'],
        },
      ]),
];

/** Runs the trial with the library and kernels of a folder. */
export interface Trial {
  tryModel(model: TrialModel, libraryFolder: string): EngineTrial;
  /** What a model predicts behind each token of a text that it reads in portions of so many tokens. */
  readText(modelPath: string, libraryFolder: string, how: { text: string; portion: number }): TextLogits;
  remove(): void;
}

/** Compiles the trial and writes its models. */
export async function startTrial(): Promise<Trial> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-trial-'));
  const source = join(folder, 'source');
  unpackSource(join(repositoryRoot, 'node_modules/node-llama-cpp/llama/gitRelease.bundle'), patchFiles(), source);
  const program = compileEngineTrial(source, join(folder, 'try-engine'), compilersHere(process.env)[0]!);
  await writeTinyModels(folder);
  await writeWideExperts(join(folder, expertsFile));
  const size = { name: 'wide', layers: 2, width: 256, heads: 4, kvHeads: 2, feedForward: 512, vocabulary: 1_024 };
  await writeModel({
    filePath: join(folder, wideFile),
    size: { ...size, contextTokens: 1_024, ropeBase: 1_000_000 },
    type: quantizedTypes.q8_0,
    tokenizer: syntheticTokenizer(size.vocabulary),
    seed: 1,
  });
  return {
    tryModel: ({ file, options }, libraryFolder) =>
      tryEngine(program, libraryFolder, file.startsWith('/') ? file : join(folder, file), options),
    readText: (modelPath, libraryFolder, how) => logitsOfText(program, libraryFolder, modelPath, how),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
