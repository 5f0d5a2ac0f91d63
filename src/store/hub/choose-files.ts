import { AppError } from '../../core/errors.ts';
import { type FileName, ggufLimits, isProjectorName, parseFileName, preferredQuantizations } from '../gguf/gguf.ts';
import { invalidAnswer } from './hub-errors.ts';
import type { HubFile } from './hub-file.ts';
import type { PullTarget } from './pull-name.ts';

/** The files of one model, in part order. */
export interface ChosenFiles {
  /** Name that the model will have, from its file. */
  model: string;
  /** Lower-case label, or `unknown` when the name does not tell. */
  quantization: string;
  files: HubFile[];
  /** Nobody named one: `auto` was asked for. */
  isAutomatic: boolean;
  /** What the repository has, the smallest first. */
  all: HubQuantization[];
}

interface Group {
  parsed: FileName;
  folder: string;
  parts: { file: HubFile; index: number }[];
}

/**
 * Chooses the files of a repository that a target means. Without a quantization the first of the usual order is
 * taken, else the smallest; where the choice is ours, of those that fit alone, if any does. Throws `model_not_found` with what there is, `invalid_request` when several models fit, and
 * `hub_answer_invalid` when parts of a split model are missing.
 */
export function chooseFiles(
  listing: readonly HubFile[],
  target: PullTarget,
  fits: (sizeBytes: number) => boolean = () => true,
): ChosenFiles {
  const { folder } = target;
  const all = groupFiles(listing);
  const groups = folder === null ? all : all.filter((group) => group.folder.startsWith(`${folder}/`));
  if (all.length > 0 && groups.length === 0) {
    throw new AppError('model_not_found', `The folder ${folder} of ${target.repository} has no GGUF models.`, {
      field: 'name',
    });
  }
  if (groups.length === 0) {
    throw new AppError('model_not_found', `The repository ${target.repository} has no GGUF files.`, {
      field: 'name',
      fix: 'Look for a repository whose name ends with -GGUF.',
    });
  }
  const group = target.isAutomatic
    ? byFit(groups, target, fits)
    : (byPath(groups, target) ?? byQuantization(groups, target));
  return { ...complete(group), isAutomatic: target.isAutomatic, all: quantizationsOf(listing) };
}

/** A quantization of a repository, and the size of all its parts. */
export interface HubQuantization {
  /** Lower-case label, or `unknown`. */
  quantization: string;
  sizeBytes: number;
}

/** What a repository has, the smallest first; of several models of one quantization the one at the top, else the smallest. */
export function quantizationsOf(listing: readonly HubFile[]): HubQuantization[] {
  const found = new Map<string, HubQuantization>();
  const groups = groupFiles(listing).toSorted(
    (left, right) => left.folder.length - right.folder.length || sizeOf(left) - sizeOf(right),
  );
  for (const group of groups) {
    const quantization = group.parsed.quantization ?? 'unknown';
    if (!found.has(quantization)) found.set(quantization, { quantization, sizeBytes: sizeOf(group) });
  }
  return [...found.values()].sort((left, right) => left.sizeBytes - right.sizeBytes);
}

function groupFiles(listing: readonly HubFile[]): Group[] {
  const groups = new Map<string, Group>();
  for (const file of listing) {
    const slash = file.path.lastIndexOf('/');
    const parsed = parseFileName(file.path.slice(slash + 1));
    if (!parsed || isNoModel(parsed.stem)) continue;
    const folder = file.path.slice(0, slash + 1);
    const key = parsed.split ? `${folder}${parsed.stem}\0${parsed.split.count}` : file.path;
    const group = groups.get(key) ?? { parsed, folder, parts: [] };
    group.parts.push({ file, index: parsed.split?.index ?? 0 });
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Vision projectors and importance matrices, by their names. */
function isNoModel(name: string): boolean {
  return isProjectorName(name) || /imatrix/i.test(name);
}

/** Null when no file was named, or when a file of the catalogue has been renamed: its quantization finds it then. */
function byPath(groups: readonly Group[], { paths, quantization }: PullTarget): Group | null {
  if (paths === null) return null;
  const wanted = paths[0]?.normalize('NFC');
  const group = groups.find(({ parts }) => parts.some(({ file }) => file.path.normalize('NFC') === wanted));
  if (group) return group;
  if (isNoModel(wanted ?? '')) {
    throw new AppError('invalid_request', `${paths[0]} is a projector or an importance matrix, and no model.`, {
      field: 'name',
    });
  }
  if (quantization !== null) return null;
  throw new AppError('model_not_found', `The repository has no file ${paths[0]}.`, {
    field: 'name',
    fix: `Files that are there: ${groups
      .slice(0, 8)
      .map(({ parts }) => parts[0]!.file.path)
      .join(', ')}.`,
  });
}

/** Of those that fit, or of all where none does, those that the target puts first, else the usual ones. */
function byFit(groups: readonly Group[], target: PullTarget, fits: (sizeBytes: number) => boolean): Group {
  const fitting = groups.filter((group) => fits(sizeOf(group)));
  const candidates = fitting.length > 0 ? fitting : groups;
  const isFirst = ({ parts }: Group) => parts.some(({ file }) => file.path === target.paths?.[0]);
  return candidates.find(isFirst) ?? byQuantization(candidates, target);
}

function byQuantization(groups: readonly Group[], { repository, quantization }: PullTarget): Group {
  const labelled = (label: string) => {
    const exact = groups.filter(({ parsed }) => parsed.quantization === label);
    return exact.length > 0 ? exact : groups.filter(({ parsed }) => parsed.quantization === `ud-${label}`);
  };
  if (quantization !== null) {
    const found = labelled(quantization);
    if (found.length > 0) return only(found);
    const labels = [...new Set(groups.map(({ parsed }) => parsed.quantization ?? 'unknown'))].sort();
    throw new AppError('model_not_found', `The repository ${repository} has no ${quantization}.`, {
      field: 'quantization',
      fix: `It has ${labels.join(', ')}.`,
      details: { quantizations: labels },
    });
  }
  for (const label of preferredQuantizations) {
    const found = labelled(label);
    if (found.length > 0) return only(found);
  }
  return groups.toSorted((left, right) => sizeOf(left) - sizeOf(right))[0]!;
}

/** Copies in sub-folders lose against a file at the top; otherwise the choice is not ours. */
function only(groups: readonly Group[]): Group {
  const atTop = groups.filter(({ folder }) => folder === '');
  const candidates = atTop.length > 0 ? atTop : groups;
  if (candidates.length === 1) return candidates[0]!;
  const paths = candidates.map(({ parts }) => parts[0]!.file.path);
  throw new AppError('invalid_request', 'The repository has several models of this quantization.', {
    field: 'name',
    fix: `Name one file: ${paths.slice(0, 8).join(', ')}.`,
    details: { files: paths.slice(0, 64) },
  });
}

function complete({ parsed, parts }: Group): Pick<ChosenFiles, 'model' | 'quantization' | 'files'> {
  const count = parsed.split?.count ?? 1;
  const files = parts.toSorted((left, right) => left.index - right.index);
  if (count > ggufLimits.splitParts) {
    throw invalidAnswer('too_many_parts', `The model has ${count} parts; at most ${ggufLimits.splitParts} are read.`);
  }
  if (files.length !== count || files.some(({ index }, place) => index !== place)) {
    throw invalidAnswer('part_missing', `The repository lists ${files.length} of the ${count} parts of this model.`);
  }
  return {
    model: parsed.name,
    quantization: parsed.quantization ?? 'unknown',
    files: files.map(({ file }) => file),
  };
}

function sizeOf({ parts }: Group): number {
  return parts.reduce((sum, { file }) => sum + file.sizeBytes, 0);
}
