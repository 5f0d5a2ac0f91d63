import { Command } from 'commander';
import { writeTinyModels } from './tiny-models/models.ts';

const { dir } = new Command('make-tiny-models')
  .description('write one tiny model of each architecture, with random weights, for tests')
  .requiredOption('--dir <folder>', 'where to write')
  .parse()
  .opts<{ dir: string }>();

for (const { filePath, sizeBytes } of await writeTinyModels(dir)) {
  process.stdout.write(`${filePath} ${Math.round(sizeBytes / 1024)} KiB\n`);
}
