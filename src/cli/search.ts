import type { Command } from 'commander';
import { fileSize, gigabytes } from '../core/format-units.ts';
import type { SayCommand } from '../core/say-command.ts';
import { adviceWords } from './advice-words.ts';
import { type CommandDeps, countOf, print, withClient } from './command.ts';
import type { FoundModel, FoundModels } from './model-api.ts';

/** Of one model; the others are a command away. */
const mostQuantizations = 6;

/** `hearth search`: models that can be pulled. Exit code 1: none was found. */
export function addSearchCommand(program: Command, deps: CommandDeps): void {
  program
    .command('search <query...>')
    .description('search models that can be pulled, in the catalogue and at the hub, with sizes and whether they fit')
    .option('--limit <number>', 'most models of the hub, up to 20', countOf, 10)
    .option('--json', 'print JSON')
    .action(async (words: string[], flags: { limit: number; json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const found = await client.search(words.join(' '), flags.limit);
        print(deps.terminal, flags.json, found, foundLines(found, words.join(' '), deps.sayCommand));
        if (!flags.json) for (const note of found.notes) deps.terminal.fail(note);
        return found.models.length > 0 ? 0 : 1;
      });
    });
}

/** Models with their quantizations under them, narrow enough for any window. */
export function foundLines({ models, memory_bytes }: FoundModels, query: string, sayCommand: SayCommand): string[] {
  if (models.length === 0) return [`Nothing is called "${query}", neither in the catalogue nor at the hub.`];
  return [
    ...models.flatMap((model) => [
      ...headLines(model),
      ...quantizationLines(model),
      ...(model.advice === null ? [] : [`    ${adviceWords(model.advice.message, sayCommand)}`]),
    ]),
    '',
    `+ fits into the ${gigabytes(memory_bytes)} that Hearth may use, - does not, ? nobody knows; * is on disk.`,
    `${sayCommand(`pull ${models[0]!.name}`)} pulls the first; NAME:QUANTIZATION chooses.`,
  ];
}

function headLines({ name, source, downloads, licence, gated }: FoundModel): string[] {
  const facts = [
    ...(source === 'catalog' ? ['in the catalogue'] : []),
    ...(downloads === null ? [] : [`${short(downloads)} downloads`]),
    ...(licence === null ? [] : [licence]),
    ...(gated ? ['gated: its maker has to agree first'] : []),
  ];
  return [name, ...(facts.length === 0 ? [] : [`    ${facts.join(', ')}`])];
}

function quantizationLines({ quantizations }: FoundModel): string[] {
  if (quantizations.length === 0) return ['  ? its files could not be listed'];
  const width = Math.max(...quantizations.map(({ quantization }) => quantization.length));
  const shown = chosenOf(quantizations);
  const lines = shown.map(({ quantization, size_bytes, fits, on_disk }) => {
    const size = size_bytes === null ? '-' : fileSize(size_bytes);
    return `  ${fits === null ? '?' : fits ? '+' : '-'} ${quantization.padEnd(width)}  ${size.padStart(8)}${on_disk ? ' *' : ''}`;
  });
  const others = quantizations.length - shown.length;
  return others === 0 ? lines : [...lines, `    and ${others} more`];
}

/** Those that people use come first: the usual ones where there are many. */
function chosenOf(quantizations: FoundModel['quantizations']): FoundModel['quantizations'] {
  if (quantizations.length <= mostQuantizations) return quantizations;
  const usual = ['q4_k_m', 'q5_k_m', 'q6_k', 'q8_0', 'q3_k_m', 'q4_0'];
  const chosen = usual.flatMap((label) => quantizations.find(({ quantization }) => quantization === label) ?? []);
  const rest = quantizations.filter((each) => !chosen.includes(each));
  const list = [...chosen, ...rest].slice(0, mostQuantizations);
  return quantizations.filter((each) => list.includes(each));
}

/** `1.2M`, `34k`. */
function short(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  return count >= 1e3 ? `${Math.round(count / 1e3)}k` : `${count}`;
}
