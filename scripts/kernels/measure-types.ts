/**
 * Measures how fast this processor runs each type of weights with the kernels that are installed, and keeps it beside them:
 * advice on quantizations then goes by this machine's figures. Needs no compiler.
 * `npm run measure:kernels -- [--as NAME] [--rounds N] [--root DIR]`; `--as sse42`: with the library's kernels for another
 * processor, as a row of `src/machine/kernel-paces.json`; nothing is kept then.
 */
import { rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { probe } from './check.ts';
import { kernelFolders, patchedKernels } from './folders.ts';
import { savePaces, toMeasurement } from './saved-paces.ts';
import { rootWithKernels } from './single-kernels.ts';
import { measureTypes } from './type-pace.ts';

const repository = resolve(import.meta.dirname, '../..');
const values = new Command('npm run measure:kernels --')
  .description('measures how fast this processor runs each type of weights, and keeps that for advice on quantizations')
  .option('--as <name>', 'measure the kernels for another processor, such as sse42; that is printed and not kept')
  .option('--rounds <number>', 'repetitions; the median counts', '3')
  .option('--root <folder>', 'an installation whose kernels are measured; left out: this one', repository)
  .parse()
  .opts<{ as?: string; rounds: string; root: string }>();
const root = resolve(values.root);
const print = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(used: string): Promise<void> {
  const { kernels } = await probe(used, join(repository, 'models', 'hearth-guide-3m-q8_0.gguf'));
  if (kernels === null) throw new Error('The library has one set of kernels for all processors here.');
  const builtHere = patchedKernels(used).includes(basename(kernels));
  say(`kernels  ${basename(kernels)} (${builtHere ? 'built here' : "the library's own"})`);
  const types = await measureTypes(used, {
    rounds: Number(values.rounds),
    onType: (label) => say(`         ${label}`),
  });
  const given = values.as === undefined ? '' : ` --as ${values.as}`;
  const measured = toMeasurement(
    kernels,
    builtHere,
    types,
    `npm run measure:kernels --${given} --rounds ${values.rounds}`,
  );
  for (const [label, { prompt, decode }] of Object.entries(types)) {
    say(`${label.padEnd(8)} prompts ${prompt} tokens/s, answers ${decode} tokens/s, of one thread`);
  }
  if (values.as === undefined) for (const folder of kernelFolders(root)) savePaces(folder, [measured]);
  else print(JSON.stringify(measured));
}

const used = values.as === undefined ? root : rootWithKernels(root, values.as);
try {
  await main(used);
} finally {
  if (used !== root) rmSync(used, { recursive: true, force: true });
}
