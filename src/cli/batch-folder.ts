import { createHash } from 'node:crypto';
import { glob, mkdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { AppError } from '../core/errors.ts';
import { fileSize, replaceFile } from '../files/files.ts';
import type { DecideQuestion } from './client.ts';

/** A file that something is asked of. */
export interface Source {
  /** Absolute. */
  path: string;
  /** Below the folder that the pattern begins at, with `/` between its parts; its result has this name too. */
  name: string;
}

/** What is asked of each file. */
export interface FolderTask {
  endpoint: '/v1/chat/completions' | '/v1/decisions';
  /** Of the name of a result. */
  ending: '.txt' | '.json';
  /** The request for a text. `name`: of its file. */
  bodyFor(text: string, name: string): object;
  /** What is written of the answer of its route. */
  resultOf(body: Readonly<Record<string, unknown>>): string;
}

const maxIdLength = 512;

/**
 * The files that a pattern names, sorted, and not what lies in `outFolder`. Their names count from where the pattern has its
 * first wild card, so that they stay the same when files come and go.
 */
export async function sourcesOf(pattern: string, outFolder: string): Promise<Source[]> {
  const whole = resolve(pattern);
  const base = baseOf(whole);
  const out = resolve(outFolder) + sep;
  const sources: Source[] = [];
  for await (const entry of glob(whole, { withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.startsWith(out)) continue;
    sources.push({ path, name: relative(base, path).split(sep).join('/') });
  }
  return sources.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The folder before the first part with a wild card; of a plain path its own. */
function baseOf(path: string): string {
  const parts = path.split(sep);
  const wild = parts.findIndex((part) => /[*?[\]{}!()]/.test(part));
  return wild === -1 ? dirname(path) : parts.slice(0, wild).join(sep) || sep;
}

/** Where the result of a file is. */
export function resultPath(outFolder: string, { name }: Pick<Source, 'name'>, ending: string): string {
  return join(outFolder, ...name.split('/')) + ending;
}

export async function hasResult(outFolder: string, source: Source, ending: string): Promise<boolean> {
  return (await fileSize(resultPath(outFolder, source, ending))) !== null;
}

/** Writes a result whole or not at all. */
export async function writeResult(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await replaceFile(path, text);
}

/** Names a request of a file in its batch. */
export function customIdOf({ name }: Pick<Source, 'name'>): string {
  return name.length <= maxIdLength && name.isWellFormed() ? name : createHash('sha256').update(name).digest('hex');
}

/** The text of a file. Throws `invalid_request` for what is no text. */
export async function textOf({ path, name }: Source): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (cause) {
    throw new AppError('invalid_request', `${name} is no text in UTF-8, or cannot be read.`, { cause });
  }
}

/** A template with a text in it: in the place of `{{text}}`, else behind it. `{{name}}` is the name of its file. */
export function fillTemplate(template: string, text: string, name: string): string {
  const whole = template.includes('{{text}}') ? template : `${template.trimEnd()}\n\n{{text}}`;
  // In one go: a text may hold what looks like a place.
  return whole.replace(/\{\{(text|name)\}\}/g, (_place, which: string) => (which === 'text' ? text : name));
}

/** What a prompt asks, with an answer in words or, by a schema, in JSON. `model`: null for the default one. */
export function promptTask(options: {
  template: string;
  model: string | null;
  system: string | null;
  schema: object | null;
  maxTokens: number | null;
}): FolderTask {
  const { template, model, system, schema, maxTokens } = options;
  return {
    endpoint: '/v1/chat/completions',
    ending: schema === null ? '.txt' : '.json',
    bodyFor: (text, name) => ({
      ...(model !== null && { model }),
      messages: [
        ...(system === null ? [] : [{ role: 'system', content: system }]),
        { role: 'user', content: fillTemplate(template, text, name) },
      ],
      temperature: 0,
      ...(maxTokens !== null && { max_tokens: maxTokens }),
      ...(schema !== null && {
        response_format: { type: 'json_schema', json_schema: { name: 'result', schema, strict: true } },
      }),
    }),
    resultOf(body) {
      const text = contentOf(body);
      return schema === null ? `${text}\n` : jsonOf(JSON.parse(text));
    },
  };
}

function contentOf(body: Readonly<Record<string, unknown>>): string {
  const { choices } = body as { choices?: { message?: { content?: string | null } }[] };
  return choices?.[0]?.message?.content ?? '';
}

/** Closed questions, answered with probabilities. `template`: null for the text of a file as it is. */
export function decideTask(options: {
  template: string | null;
  model: string | null;
  questions: readonly DecideQuestion[];
}): FolderTask {
  const { template, model, questions } = options;
  return {
    endpoint: '/v1/decisions',
    ending: '.json',
    bodyFor: (text, name) => ({
      ...(model !== null && { model }),
      input: template === null ? text : fillTemplate(template, text, name),
      questions: questions.map(toOpenAiQuestion),
    }),
    resultOf: ({ answers }) => jsonOf({ answers }),
  };
}

function toOpenAiQuestion(question: DecideQuestion): object {
  const { question: instructions } = question;
  switch (question.type) {
    case 'yes_no':
      return { type: 'predicate', instructions };
    case 'choice':
      return { type: 'choice', instructions, choices: question.options.map((value) => ({ value })) };
    case 'score':
      return { type: 'score', instructions, levels: question.levels.map((label) => ({ label })) };
  }
}

const jsonOf = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
