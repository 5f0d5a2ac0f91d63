import type { Command } from 'commander';
import { AppError } from '../core/errors.ts';
import { fileSize, memorySize } from '../core/format-units.ts';
import type { SayCommand } from '../core/say-command.ts';
import { adviceWords } from './advice-words.ts';
import { safeText } from './chat/chat.ts';
import type { HearthClient } from './client.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import { type CloudModel, cloudModelOf, type ModelHeader, type ModelRecord } from './model-api.ts';
import { otherNames } from './native-api.ts';
import { namingModel } from './unknown-model.ts';

/** `hearth show`: what is known of a model. */
export function addShowCommand(program: Command, deps: CommandDeps): void {
  program
    .command('show <model>')
    .description('show what is known of a model: size, context, licence, memory, files')
    .option('--template', 'print its chat template alone')
    .option('--license', 'print what its file says of its licence')
    .option('--json', 'print JSON')
    .action(
      async (name: string, flags: { template?: boolean; license?: boolean; json?: boolean }, command: Command) => {
        await withClient(deps, command, (client) =>
          namingModel(client, deps.sayCommand, name, async () => {
            const known = await lookUp(client, name);
            if ('elsewhere' in known) {
              print(deps.terminal, flags.json, known.elsewhere, elsewhereLines(known.elsewhere));
              return 0;
            }
            const { record, header } = known;
            if (flags.template) deps.terminal.write(`${safeText(templateOf(header, name)).trimEnd()}\n`);
            else if (flags.license) print(deps.terminal, flags.json, licenceOf(header), licenceLines(header, name));
            else
              print(
                deps.terminal,
                flags.json,
                { ...record, ...fileFacts(header) },
                modelLines(record, header, deps.sayCommand),
              );
            return 0;
          }),
        );
      },
    );
}

/** What is known of a model, in lines. Rejects as the client does. */
export async function describeModel(client: HearthClient, sayCommand: SayCommand, name: string): Promise<string[]> {
  return namingModel(client, sayCommand, name, async () => {
    const known = await lookUp(client, name);
    return 'elsewhere' in known ? elsewhereLines(known.elsewhere) : modelLines(known.record, known.header, sayCommand);
  });
}

const noHeader: ModelHeader = { template: '', parameters: '', capabilities: [], model_info: {} };

/** A model of this machine, or one of another provider. Rejects with `model_not_found` for what is neither. */
async function lookUp(
  client: Pick<HearthClient, 'modelRecord' | 'modelRecords' | 'modelHeader'>,
  name: string,
): Promise<{ record: ModelRecord; header: ModelHeader } | { elsewhere: CloudModel }> {
  try {
    const record = await client.modelRecord(name);
    // A file that cannot be used has a reason instead.
    return { record, header: record.state === 'invalid' ? noHeader : await client.modelHeader(name) };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'model_not_found') throw error;
    const elsewhere = cloudModelOf(await client.modelRecords(), name);
    if (elsewhere === null) throw error;
    return { elsewhere };
  }
}

function elsewhereLines({ name, provider, context_length, max_output_tokens }: CloudModel): string[] {
  return [
    `model     ${name}`,
    `provider  ${provider}: what is asked of it leaves the house`,
    ...(context_length === null ? [] : [`context   ${context_length} tokens`]),
    ...(max_output_tokens === null ? [] : [`answers   up to ${max_output_tokens} tokens`]),
  ];
}

/** What only the file tells, by the names of `--json`. */
function fileFacts(header: ModelHeader) {
  const { template, capabilities, parameters, system = null } = header;
  return { capabilities, licence: licenceOf(header), template, system, preset_parameters: parameters };
}

function templateOf({ template }: ModelHeader, name: string): string {
  if (template !== '') return template;
  throw new AppError('not_found', `${name} has no chat template.`);
}

/** By the keys of the file's header. */
function licenceOf({ model_info }: ModelHeader): Record<string, string> {
  const known = Object.entries(model_info).filter(
    (entry): entry is [string, string] => /^general\.license(\.|$)/.test(entry[0]) && typeof entry[1] === 'string',
  );
  return Object.fromEntries(known.map(([key, value]) => [key.replace(/^general\./, ''), value]));
}

function licenceLines(header: ModelHeader, name: string): string[] {
  const known = Object.values(licenceOf(header));
  return known.length === 0 ? [`The file of ${name} says nothing of its licence.`] : known;
}

/** A model for people. */
export function modelLines(model: ModelRecord, header: ModelHeader, sayCommand: SayCommand): string[] {
  const chosen = model.variants.find(({ quantization }) => quantization === model.quantization);
  const licence = licenceOf(header)['license'] ?? licenceOf(header)['license.name'] ?? 'unknown';
  const names = otherNames(model, model.quantization);
  const facts: [string, string][] = [
    ['model', `${model.name}:${model.quantization}`],
    ...(names.length > 0 ? [['also', names.join(', ')] as [string, string]] : []),
    [
      'architecture',
      `${model.architecture ?? 'unknown'}${model.parameters === null ? '' : `, ${parameterCount(model.parameters)} parameters`}`,
    ],
    [
      'size',
      `${fileSize(model.size_bytes)}${chosen?.bits_per_weight ? `, ${chosen.bits_per_weight} bits per weight` : ''}`,
    ],
    ['context', model.context_length === null ? 'unknown' : `${model.context_length} tokens trained`],
    ['can', header.capabilities.length === 0 ? '-' : header.capabilities.join(', ')],
    ['licence', licence],
    ['template', header.template === '' ? 'none' : `${header.template.length} characters; --template prints it`],
    ...(header.system === undefined ? [] : [['system', header.system] as [string, string]]),
    ['state', `${model.state}${model.reason === null ? '' : `: ${model.reason}`}`],
    ...memoryFacts(model, chosen),
    ...(chosen?.files ?? []).map((file): [string, string] => ['file', file]),
    ...otherVariants(model),
    ...(model.advice === null ? [] : [['speed', adviceWords(model.advice.message, sayCommand)] as [string, string]]),
    ...model.notes.map((note): [string, string] => ['note', note]),
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  return facts.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
}

function memoryFacts(model: ModelRecord, chosen: ModelRecord['variants'][number] | undefined): [string, string][] {
  if (model.state !== 'loaded') {
    const needed = chosen?.expected_memory_bytes ?? null;
    if (needed === null) return [];
    return [['memory', `${memorySize(needed)} would be taken; ${chosen?.fits ? 'fits now' : 'does not fit now'}`]];
  }
  const planned = model.planned_memory_bytes === null ? '' : `estimated ${memorySize(model.planned_memory_bytes)}, `;
  const used = model.memory_bytes === null ? 'not measured so far' : `used ${memorySize(model.memory_bytes)}`;
  return [
    ['memory', planned + used],
    ['loaded', `context ${model.context_length_loaded} tokens, ${model.slots} at the same time, ${placeOf(model)}`],
  ];
}

function otherVariants({ variants, quantization }: ModelRecord): [string, string][] {
  return variants
    .filter((variant) => variant.quantization !== quantization)
    .map((variant) => [
      'also as',
      `${variant.quantization}, ${fileSize(variant.size_bytes)}${variant.reason === null ? '' : `; ${variant.reason}`}`,
    ]);
}

/** Where a loaded model computes. */
export function placeOf({ gpu, gpu_layers, gpu_device, gpu_reason }: ModelRecord): string {
  if (gpu === null || gpu === 'off') return gpu_reason === null ? 'CPU' : `CPU (${gpu_reason})`;
  return `${gpu_device ?? gpu}, ${gpu_layers} layers`;
}

/** `7.6 B`, `3.1 M`. */
export function parameterCount(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)} B` : `${(count / 1e6).toFixed(1)} M`;
}
