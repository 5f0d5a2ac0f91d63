import { fileSize } from '../core/format-units.ts';
import type { SayCommand } from '../core/say-command.ts';
import { adviceWords } from './advice-words.ts';
import type { AvailableView } from './client.ts';

/**
 * What can be pulled, as lines under the memory of the machine that it is meant for. `models`: in the order in which
 * they are to be shown. `*` marks what is on disk.
 */
export function availableLines(models: readonly AvailableView[], sayCommand: SayCommand): string[] {
  const rows = models.map((model) => ({
    machineGb: model.machineGb,
    cells: [
      model.name,
      model.kind,
      `${shownTokens(model.contextTokens)} tokens`,
      model.quantizations.map(shownQuantization).join(', '),
      model.licence,
    ],
    mark: model.onDisk ? '*' : ' ',
    advice: model.advice,
  }));
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map(({ cells }) => cells[column]!.length)));
  const lines = [...new Set(rows.map(({ machineGb }) => machineGb))].flatMap((machineGb) => [
    `For machines with ${machineGb} GB of memory:`,
    ...rows
      .filter((row) => row.machineGb === machineGb)
      .flatMap(({ mark, cells, advice }) => [
        `${mark} ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`,
        ...(advice === null ? [] : [`    ${adviceWords(advice.message, sayCommand)}`]),
      ]),
    '',
  ]);
  const pulls = `${sayCommand('pull NAME')} pulls the first quantization, NAME:QUANTIZATION another one.`;
  return [...lines, `* is on disk. ${pulls}`];
}

function shownQuantization({ quantization, sizeBytes }: AvailableView['quantizations'][number]): string {
  return sizeBytes === null ? quantization : `${quantization} (${fileSize(sizeBytes)})`;
}

/** `32k`; models are made for multiples of 1024. */
function shownTokens(tokens: number): string {
  return tokens < 1_024 ? `${tokens}` : `${Math.floor(tokens / 1_024)}k`;
}
