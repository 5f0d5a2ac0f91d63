import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { agentCommand } from './agent.ts';
import { batchBesideCommand } from './batch-beside.ts';
import { batchPrefixCommand } from './batch-prefix.ts';
import { copyCommand } from './copy.ts';
import { costCommand } from './cost.ts';
import { decideCommand } from './decide.ts';
import type { BenchDeps } from './deps.ts';
import { engineCommand } from './engine.ts';
import { firstEventCommand } from './first-event.ts';
import { gapCommand } from './gap.ts';
import { gatewayCommand } from './gateway.ts';
import { httpCommand } from './http.ts';
import { kernelsCommand } from './kernels.ts';
import { describeMachine, loadOfLastMinute } from './machine.ts';
import { makeBenchModelCommand } from './make-bench-model.ts';
import { mappingCommand } from './mapping.ts';
import { prefixCommand } from './prefix.ts';
import { createReport } from './report.ts';
import { soakCommand } from './soak.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const startedAt = new Date();
const flags = process.argv.slice(2);

const deps: BenchDeps = {
  root,
  env: process.env,
  cacheFolder: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hearth-bench'),
  cores: availableParallelism(),
  progress: (text) => process.stderr.write(`… ${text}\n`),
  report: (name, outFile) =>
    createReport({
      name,
      machine: describeMachine(root),
      command: `npm run bench -- ${flags.map(quoted).join(' ')}`,
      startedAt,
      outFile: outFile ?? join('data', 'bench', `${name}-${startedAt.toISOString().replace(/[:.]/g, '-')}.json`),
      load: loadOfLastMinute,
      print: (text) => process.stdout.write(text),
    }),
};

function quoted(flag: string): string {
  return /^[\w./:,=@%+-]+$/.test(flag) ? flag : `'${flag.replaceAll("'", "'\\''")}'`;
}

const program = new Command('bench').description('Measure the engine and servers on this machine');
for (const command of [
  makeBenchModelCommand,
  engineCommand,
  httpCommand,
  gapCommand,
  prefixCommand,
  copyCommand,
  decideCommand,
  costCommand,
  mappingCommand,
  agentCommand,
  firstEventCommand,
  gatewayCommand,
  batchBesideCommand,
  batchPrefixCommand,
  soakCommand,
  kernelsCommand,
]) {
  program.addCommand(command(deps));
}
// Servers and workers that a bench started end with it, also on Ctrl-C.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

try {
  await program.parseAsync();
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? `bench: ${error.message}` : error);
  process.exit(1);
}
