import { realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { AppError } from '../core/errors.ts';
import { toCloudConfig, warningsOf } from './cloud.ts';
import { ConfigError } from './config-error.ts';
import { parse, placesIn, problemsIn } from './load.ts';
import { createProblems } from './problems.ts';
import type { Config } from './schema.ts';
import { sectionsWithVariables } from './settings.ts';
import { mergeSettings } from './source.ts';
import { fillIn } from './variables.ts';
import { parseYaml } from './yaml-file.ts';

/** What is to be said of a configuration that is not in force. */
export interface ConfigFindings {
  /** What is wrong, one line each with its place and its path; empty: it can be used. */
  errors: string[];
  /** What works and is likely a mistake, in sentences. */
  warnings: string[];
}

/** Words that clients may name a file by: no folders, no hidden file, and only what a configuration is called. */
const bareName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\.ya?ml$/;
/** Stands for the value of any variable; no provider is called so. */
const anyValue = 'value-of-a-variable';

/**
 * Checks another file in the folder of the one in force, with the flags and variables of this server. `name`: a bare file
 * name, or the end of the path of the file in force. Throws `invalid_request` for any other, or where there is no folder.
 */
export function checkFile(
  name: string,
  { inForce, load }: { inForce: string | null; load: (filePath: string) => Config },
): ConfigFindings {
  const filePath = fileOf(name, inForce);
  try {
    return { errors: [], warnings: warningsOf(load(filePath).cloud) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { errors: error.problems, warnings: [] };
  }
}

function fileOf(name: string, inForce: string | null): string {
  if (inForce !== null && `/${inForce}`.endsWith(`/${name}`)) return inForce;
  const refused = (problem: string) => new AppError('invalid_request', problem, { field: 'config_path' });
  if (inForce === null) throw refused('This server was started without a configuration file, so there is no folder.');
  if (!bareName.test(name)) {
    throw refused('"config_path" must be the name of a YAML file beside the one in force, without folders.');
  }
  const folder = dirname(inForce);
  const filePath = join(folder, basename(name));
  // A link may lead anywhere; what is in the folder stays in it.
  const target = realPathOf(filePath);
  if (target === null || !target.startsWith(`${realPathOf(folder)}${sep}`)) {
    throw refused(`There is no file called "${name}" beside the configuration in force.`);
  }
  return filePath;
}

function realPathOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/**
 * Checks the text of a file that a client sends. It sees nothing of this machine: no variable's value and no file is read,
 * so what depends on them is not checked.
 */
export function checkText(text: string): ConfigFindings {
  const problems = createProblems();
  const file = problems.attempt('*', () => parseYaml(text, 'yaml'));
  if (file === undefined) return { errors: problems.lines(), warnings: [] };
  const variables: string[] = [];
  const env = new Proxy<Record<string, string>>({}, { get: () => anyValue });
  const filled = Object.entries(file.raw).map(([name, section]) => {
    if (!sectionsWithVariables.includes(name)) return [name, section];
    collectVariables(section, [name], variables);
    return [name, fillIn(section, { env, base: '/', path: [name], missing: [] })];
  });
  const describe = problemsIn(file);
  const settings = parse(
    Object.fromEntries(filled),
    (issue) => (variables.includes(issue.path.join('.')) ? [] : describe(issue)),
    problems,
  );
  const sections = mergeSettings([{ settings, base: '/' }]).cloud;
  const { price_list_file: _notRead, ...budgets } = sections.budgets ?? {};
  const cloud = toCloudConfig({ ...sections, budgets: sections.budgets && budgets }, problems, () => anyValue);
  const errors = problems.lines(placesIn(file)).filter((line) => !line.includes(anyValue));
  return { errors, warnings: errors.length > 0 ? [] : warningsOf(cloud) };
}

/** Paths of all texts that name a variable. */
function collectVariables(value: unknown, path: readonly string[], found: string[]): void {
  if (typeof value === 'string' && value.includes('${')) found.push(path.join('.'));
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) collectVariables(item, [...path, key], found);
}
