import type { SayCommand } from '../core/say-command.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** What the running server says of itself; null parts: it did not say. */
export interface ServerFacts {
  address: string;
  version: string;
  status: string;
  components: Readonly<Record<string, string>>;
  /** Names of models that cannot be used, with the reason. */
  brokenModels: readonly { name: string; reason: string }[] | null;
  /** Files of the model folder that are left out, in sentences. */
  leftOut: readonly string[] | null;
  /** Why the file of the configuration cannot be used as it is now. */
  configError: string | null;
  /** Messages of the last errors in the log. */
  lastErrors: readonly string[] | null;
}

/** What came of asking a provider. */
export interface ProviderFacts {
  id: string;
  answered: boolean;
  latencyMs: number | null;
  error: string | null;
}

/** What is asked of the server beside its own facts; `problem`: why what it knows could not be asked for. */
interface AboutServer {
  ownVersion: string;
  problem: string | null;
  sayCommand: SayCommand;
}

/** The running server. `facts`: null, where none runs. */
export function checkServer(facts: ServerFacts | null, about: AboutServer): Finding[] {
  const { problem } = about;
  if (facts === null) {
    if (problem === null) return [ok('server.running', 'Server', 'does not run', { facts: { address: null } })];
    return [
      warning('server.running', 'Server', problem, {
        facts: { address: null },
        means: 'What only the server knows is left out.',
        fix: 'Start it, or correct HEARTH_URL; its key goes into HEARTH_API_KEY.',
      }),
    ];
  }
  return [checkRunning(facts, about), ...checkModels(facts), ...checkLog(facts, about)];
}

function checkRunning(server: ServerFacts, { ownVersion, sayCommand }: AboutServer): Finding {
  const { address, version, status, components, configError } = server;
  const [id, title] = ['server.running', 'Server'];
  const found = `${address}, version ${version}, ${status}`;
  const facts = { address, version, own_version: ownVersion, status, components };
  const bad = Object.entries(components).filter(([, state]) => state !== 'healthy');
  if (configError !== null) {
    return failure(id, title, found, {
      facts,
      means: `The file of the configuration cannot be used as it is now, and the old one is in force: ${configError}`,
      fix: 'Correct the file; it is read again by itself.',
    });
  }
  if (status !== 'healthy') {
    return (status === 'unhealthy' ? failure : warning)(id, title, found, {
      facts,
      means: `Not in order: ${bad.map(([name, state]) => `${name} (${state})`).join(', ') || 'it is shutting down'}.`,
      fix: `${sayCommand('logs --level warn')} says why.`,
    });
  }
  if (version !== ownVersion) {
    return warning(id, title, found, {
      facts,
      means: `This command is of version ${ownVersion}: the server was not started again after an upgrade, or is another installation.`,
      fix: 'Start the server again.',
    });
  }
  if (server.brokenModels !== null && server.lastErrors !== null) return ok(id, title, found, { facts });
  return ok(id, title, found, {
    facts,
    means: 'What only a key for administration may see of it (models, log) is left out.',
    fix: 'Set HEARTH_API_KEY to such a key, or run this on the machine of the server.',
  });
}

function checkModels({ brokenModels, leftOut }: ServerFacts): Finding[] {
  if (brokenModels === null || leftOut === null) return [];
  const facts = { unusable: brokenModels, left_out: leftOut };
  if (brokenModels.length === 0 && leftOut.length === 0)
    return [ok('server.models', 'Models', 'all can be used', { facts })];
  const names = brokenModels.map(({ name, reason }) => `${name}: ${reason}`);
  return [
    warning('server.models', 'Models', [...names, ...leftOut].join(' '), {
      facts,
      means: 'They cannot be loaded, or are not listed.',
      fix: 'Pull a damaged file again, or delete it; the other models work.',
    }),
  ];
}

function checkLog({ lastErrors }: ServerFacts, { sayCommand }: AboutServer): Finding[] {
  if (lastErrors === null) return [];
  const facts = { count: lastErrors.length };
  if (lastErrors.length === 0) return [ok('server.log', 'Log', 'no errors in its last lines', { facts })];
  return [
    warning('server.log', 'Log', `${lastErrors.length} errors in its last lines, the latest: ${lastErrors.at(-1)}`, {
      facts,
      fix: `${sayCommand('logs --level error')} shows them.`,
    }),
  ];
}

/** Whether providers would answer. `tested` null: they were not asked, `why` says why not. */
export function checkProviders(
  tested: readonly ProviderFacts[] | null,
  why: string | null,
  sayCommand: SayCommand,
): Finding {
  const [id, title] = ['network.providers', 'Providers'];
  if (tested === null) return ok(id, title, why ?? 'not asked', { facts: { providers: [] } });
  if (tested.length === 0) return ok(id, title, 'none beside this machine', { facts: { providers: [] } });
  const facts = {
    providers: tested.map(({ id: name, answered, latencyMs, error }) => ({
      id: name,
      answered,
      latency_ms: latencyMs,
      error,
    })),
  };
  const found = tested.map(({ id: name, answered, latencyMs, error }) =>
    answered
      ? `${name} answers${latencyMs === null ? '' : `, in ${latencyMs} ms`}`
      : `${name}: ${error ?? 'no answer'}`,
  );
  if (tested.every(({ answered }) => answered)) return ok(id, title, found.join('; '), { facts });
  return warning(id, title, found.join('; '), {
    facts,
    means: 'Requests that are marked for them fail, or go to the next of their chain.',
    fix: `Look at the key, at the address and at the network; ${sayCommand('provider test')} asks again.`,
  });
}
