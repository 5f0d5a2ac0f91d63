/**
 * What documents say of the settings, derived from their declarations in `src/config/settings.ts`: the example file, the
 * schema that editors check it by, and the table between the marks of its document. `node scripts/config-docs.ts` writes all.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { allSettings, fileSources, type Setting, type SettingPath } from '../src/config/settings.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const beginMark = '<!-- settings:begin -->';
const endMark = '<!-- settings:end -->';
const lineWidth = 120;

const introduction = `# yaml-language-server: $schema=hearth.schema.json
# Example configuration of Hearth. Copy it, change what you need, and start with
#   npm start -- --config hearth.yaml        (or HEARTH_CONFIG=hearth.yaml)
# Every setting is optional; what stands here is the default, and what is commented out is an example.
# A flag wins over an environment variable (named in brackets), which wins over this file.
# Sizes: 4MiB, 2GB or bytes. Durations: 30s, 5m, 1h30m or seconds. Relative folders count from this file.
# Lists are separated by commas in variables. HEARTH_API_KEY_FILE names a file that holds the keys.
`;

/** The table of all settings in Markdown, with its head, without a line break at the end. */
export function settingsTable(): string {
  const rows = allSettings.map(({ path, setting }) =>
    tableRow(setting, `\`${path.join('.')}\``, shownDefault(setting), setting.help),
  );
  const sources = Object.values(fileSources).map((source) => tableRow(source, '', 'none', source.help));
  return ['| Flag | Environment | File | Default | Meaning |', '|---|---|---|---|---|', ...rows, ...sources].join('\n');
}

/** The text of `hearth.example.yaml`. */
export function exampleFile(): string {
  let section: string | undefined;
  const lines = allSettings.flatMap(({ path, setting }) => {
    const [first, key] = path;
    const name = key === undefined ? undefined : first;
    // A section of examples alone would be empty, which is no section.
    const isEmpty = !allSettings.some(
      ({ path: [own], setting: { default: value } }) => own === name && typeof value !== 'object',
    );
    const begins =
      name !== section || name === undefined
        ? ['', ...(name === undefined ? [] : [`${isEmpty ? '# ' : ''}${name}:`])]
        : [];
    section = name;
    return [...begins, ...exampleLines(path, setting)];
  });
  return `${introduction}${lines.join('\n')}\n`;
}

/** The text of `hearth.schema.json`. */
export function schemaFile(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

/** The document that holds the table: its path and text, and the text as it should be. Throws when the marks are gone. */
export function documentWithTable(): { path: string; text: string; derived: string } {
  const path = `${root}docs/configuration.md`;
  const text = readFileSync(path, 'utf8');
  const begin = text.indexOf(beginMark);
  const end = text.indexOf(endMark);
  if (begin < 0 || end < begin) throw new Error(`${path} has no ${beginMark} with ${endMark} behind it.`);
  const derived = `${text.slice(0, begin)}${beginMark}\n${settingsTable()}\n${text.slice(end)}`;
  return { path, text, derived };
}

function tableRow(source: Pick<Setting, 'env' | 'flag'>, place: string, shown: string, help: string): string {
  const cells = [source.flag ? `\`--${source.flag.name}\`` : '', source.env ? `\`${source.env.name}\`` : '', place];
  return `| ${[...cells, shown, help].join(' | ')} |`.replaceAll('|  |', '| |').replaceAll('|  |', '| |');
}

function shownDefault(setting: Setting): string {
  const { default: value } = setting;
  if (setting.isPath && typeof value === 'string') return `\`${value.replace('./', '')}/\` of Hearth`;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'object' ? (setting.unset ?? 'none') : `\`${value}\``;
}

function exampleLines(path: SettingPath, setting: Setting): string[] {
  const indent = path.length === 2 ? '  ' : '';
  const { default: value, help, env } = setting;
  const hasValue = typeof value !== 'object';
  const meaning = help.startsWith('`') ? help : `${help[0]!.toUpperCase()}${help.slice(1)}`;
  const comment = [
    `${meaning.replaceAll('`', '')}${env ? ` [${env.name}]` : ''}.`,
    ...(hasValue ? [] : [`Default: ${setting.unset ?? 'none'}.`]),
  ].join(' ');
  const line = `${path.at(-1)}: ${hasValue ? value : setting.example}`;
  return [...wrapped(comment, `${indent}# `), `${indent}${hasValue ? '' : '# '}${line}`];
}

function wrapped(text: string, prefix: string): string[] {
  const lines: string[] = [];
  let line = prefix.trimEnd();
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > lineWidth) {
      lines.push(line);
      line = prefix.trimEnd();
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

if (import.meta.main) {
  writeFileSync(`${root}hearth.example.yaml`, exampleFile());
  writeFileSync(`${root}hearth.schema.json`, schemaFile());
  const { path, derived } = documentWithTable();
  writeFileSync(path, derived);
}
