import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../config/load.ts';
import { packageVersion } from '../config/package.ts';
import { workerEnvironment } from '../config/worker-environment.ts';
import { AppError } from '../core/errors.ts';
import { toPrintableJson } from '../core/printable.ts';
import { examine, exitCodeOf, type Finding, probeKernelsHere, systemBox } from '../doctor/doctor.ts';
import type { HearthClient } from './client.ts';
import type { CommandDeps } from './command.ts';
import { connect } from './connect.ts';
import { writeBundle } from './doctor-bundle.ts';
import {
  configurationFacts,
  defaultConfig,
  folderSettings,
  networkSettings,
  providerFacts,
  serverFacts,
  waitsForHub,
} from './doctor-facts.ts';
import { reportLines } from './doctor-report.ts';

interface DoctorFlags {
  offline?: boolean;
  bundle?: string;
  json?: boolean;
}

/** `hearth doctor`: what is wrong with this machine. Exit code 0: nothing, 1: something could be better, 2: something does not work. */
export function addDoctorCommand(program: Command, deps: CommandDeps): void {
  program
    .command('doctor')
    .description('look at this machine, the configuration and the server, and say what to do')
    .option('--offline', 'ask nobody outside of this machine')
    .option('--bundle <file>', 'write a report for others as well, without prompts and secrets; .gz packs it')
    .option('--json', 'print JSON')
    .action(async (flags: DoctorFlags, command: Command) => {
      const { terminal } = deps;
      const seen = configurationFacts(() => deps.configOf(command), {
        env: deps.env,
        filePath: () => deps.configFileOf(command),
      });
      const config = seen.config ?? defaultConfig();
      const reached = await reach(deps, config);
      const { client } = reached;
      try {
        const findings = await look({ deps, flags, seen, config, reached });
        if (flags.json) terminal.write(`${toPrintableJson(toAnswer(findings))}\n`);
        else for (const line of reportLines(findings, { isColoured: isColoured(deps) })) terminal.write(`${line}\n`);
        if (flags.bundle !== undefined) {
          const path = resolve(flags.bundle);
          await writeBundle(path, {
            answer: toAnswer(findings),
            settings: seen.config === null ? [] : deps.shownConfigOf(command),
            config,
            client,
          });
          terminal.fail(`The report is in ${path}. Look at it before you give it to others.`);
        }
        deps.setExitCode(exitCodeOf(findings));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        terminal.fail(error.message);
        deps.setExitCode(2);
      } finally {
        await client?.close();
      }
    });
}

interface Reached {
  /** Null: where the server should be, there is none, and `problem` says so. */
  client: HearthClient | null;
  problem: string | null;
}

/** The server, or this process in its place. */
async function reach(
  { env, sayCommand }: CommandDeps,
  config: Parameters<typeof networkSettings>[0],
): Promise<Reached> {
  try {
    // Whoever else answers there is a finding of the port.
    return { client: await connect({ config, env, sayCommand, note: () => {} }), problem: null };
  } catch (error) {
    if (error instanceof ConfigError) return { client: null, problem: error.message };
    throw error;
  }
}

async function look(about: {
  deps: CommandDeps;
  flags: DoctorFlags;
  seen: ReturnType<typeof configurationFacts>;
  config: Parameters<typeof networkSettings>[0];
  reached: Reached;
}): Promise<Finding[]> {
  const { deps, flags, seen, config, reached } = about;
  const { client } = reached;
  const isOffline = flags.offline ?? false;
  let serverProblem = reached.problem;
  const server = await Promise.resolve(client === null ? null : serverFacts(client)).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    serverProblem = error.message;
    return null;
  });
  const box = systemBox(deps.env, deps.sayCommand);
  return examine({
    box,
    probeKernels: () => probeKernelsHere(workerEnvironment(deps.env, config)),
    version: packageVersion(),
    configuration: seen,
    folders: folderSettings(config, seen.filePath),
    network: networkSettings(config, {
      isOffline,
      address: client?.address ?? null,
      wantsHub: client === null ? false : await waitsForHub(client),
    }),
    memory: config.engine,
    gpuWish: config.engine.gpu,
    server,
    serverProblem,
    ...(await providerFacts(client, config, { isOffline, box })),
  });
}

/** What `--json` prints: shapes stay, more may come. */
function toAnswer(findings: readonly Finding[]) {
  const count = (severity: Finding['severity']) => findings.filter((one) => one.severity === severity).length;
  return {
    version: packageVersion(),
    exit_code: exitCodeOf(findings),
    counts: { ok: count('ok'), info: count('info'), warning: count('warning'), error: count('error') },
    findings,
  };
}

function isColoured({ terminal, env }: CommandDeps): boolean {
  return terminal.isInteractive && !env['NO_COLOR'];
}
