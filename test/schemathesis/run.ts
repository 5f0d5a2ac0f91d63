import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { writeTinyModels } from '../../scripts/tiny-models/models.ts';
import { startFakeHub } from '../support/fake-hub.ts';
import { installPython, pythonOf, type RunResult, runProgram } from '../support/python.ts';
import { errorLines, startServer } from '../support/server.ts';
import { tinyRanker } from '../support/tiny-ranker.ts';

/** A newer one has other checks, and is a decision. */
const version = '4.32.5';
/** `schemathesis.toml` has it too. */
const apiKey = 'a-key-for-schemathesis';
const installSeconds = 120;
const here = import.meta.dirname;

/** Of schemathesis' own report. */
interface JsonReport {
  operations: { tested: number; errored: number };
  test_cases: { generated: number; unique_failures: number };
  failures: { operations: string[] }[];
  errors: unknown[];
}

const command = new Command('schemathesis')
  .description('try every operation of /openapi.json with schemathesis, against a server of its own')
  .option('--seconds <count>', 'how long cases are tried', '90')
  .option('--result <file>', 'where to write how many operations passed, and how many failures there were')
  .argument('[args...]', 'more arguments for schemathesis, after --')
  .parse();
const { seconds, result: resultFile } = command.opts<{ seconds: string; result?: string }>();

const folder = await mkdtemp(join(tmpdir(), 'hearth-schemathesis-'));
try {
  const result = await tryAll(folder);
  if (resultFile) await writeFile(resultFile, JSON.stringify(result));
  if (result.failed > 0) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function tryAll(home: string): Promise<RunResult> {
  const program = process.env['HEARTH_TEST_SCHEMATHESIS'] ?? (await install(home));
  if (program === null) return { passed: 0, failed: 0, skipped: 1 };
  const hub = await startFakeHub([{ path: 'tiny-q8_0.gguf', bytes: tinyRanker() }]);
  const server = await startServer({ args: ['--config', await writeConfig(home, hub.endpoint)] });
  try {
    const document = join(home, 'openapi.json');
    await writeFile(document, await describeWithKey(server.baseUrl));
    const reportFile = join(home, 'report.json');
    const args = [
      ...['--config-file', join(here, 'schemathesis.toml')],
      ...['run', document, '--url', server.baseUrl, '--checks', 'all'],
      // Its stream ends with its client.
      ...['--exclude-path', '/api/v1/events'],
      ...['--max-time', seconds, '--no-color', '--report', 'json', '--report-json-path', reportFile],
      ...command.args,
    ];
    const code = await runProgram(program, args, {
      folder: home,
      env: { SCHEMATHESIS_HOOKS: join(here, 'hooks.py') },
      limitSeconds: Number(seconds) + 120,
    });
    const report = await readFile(reportFile, 'utf8').catch(() => null);
    const errors = errorLines(server);
    for (const line of errors) process.stdout.write(`the server logged an error: ${line}\n`);
    return toResult(report === null ? null : (JSON.parse(report) as JsonReport), code, errors.length);
  } finally {
    await server.stop();
    await hub.close();
  }
}

/** Installs schemathesis for this run alone; null, with the reason on stdout, where that cannot be done. */
async function install(home: string): Promise<string | null> {
  const venv = join(home, 'venv');
  const isThere = await installPython(venv, [`schemathesis==${version}`], installSeconds);
  return isThere ? pythonOf(venv, 'schemathesis') : null;
}

/** A server with a key, models of every kind and a hub within reach; its contexts are short, and so its answers. */
async function writeConfig(home: string, hub: string): Promise<string> {
  const models = join(home, 'models');
  await writeTinyModels(models);
  await writeFile(join(models, 'tiny-ranker.gguf'), tinyRanker());
  const config = {
    server: { api_key: apiKey },
    models: {
      folder: models,
      context_length: 256,
      aliases: { 'all-minilm-l6-v2': 'tiny-bert', 'bge-reranker-v2-m3': 'tiny-ranker' },
      hub,
      pull_allow_private: true,
    },
    log: { level: 'info' },
  };
  const file = join(home, 'hearth.yaml');
  await writeFile(file, stringify(config));
  return file;
}

/** The document says of each operation that a key may be needed; here one is, and all but the public ones must refuse without. */
async function describeWithKey(baseUrl: string): Promise<string> {
  const document = (await (await fetch(`${baseUrl}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { security?: object[] }>>;
  };
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    if (operation.security) operation.security = operation.security.filter((one) => Object.keys(one).length > 0);
  }
  return JSON.stringify(document);
}

function toResult(report: JsonReport | null, code: number, loggedErrors: number): RunResult {
  if (report === null) return { passed: 0, failed: 1, skipped: 0 };
  const failing = new Set(report.failures.flatMap(({ operations }) => operations));
  const failed = report.test_cases.unique_failures + report.errors.length + loggedErrors;
  process.stdout.write(`${report.test_cases.generated} cases over ${report.operations.tested} operations\n`);
  return {
    passed: Math.max(0, report.operations.tested - failing.size - report.operations.errored),
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: 0,
  };
}
