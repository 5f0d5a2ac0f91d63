import type { Answer, Box } from './box.ts';
import { byPlace } from './container.ts';
import { type Finding, failure, info, ok, warning } from './finding.ts';

export interface NetworkSettings {
  host: string;
  port: number;
  /** Base address of the hub. */
  hub: string;
  /** Null: the hub is reached directly. */
  hubProxy: string | null;
  /** Whether somebody asked that nothing be sent. */
  isOffline: boolean;
  /** Whether something waits for the hub: a pull that is not at its end. */
  wantsHub: boolean;
  /** Whether it is a Hearth that answers on the port. */
  hearthAnswers: boolean;
  /** Hours of the day are configured in which something happens. */
  hasHours: boolean;
}

const askMs = 3_000;
const mostSkewMs = 60_000;
/** Signed requests to AWS are refused beyond it, and tokens. */
const badSkewMs = 5 * 60_000;

/** Other servers of models, by the port that they usually have, and what shows that it is them. */
const neighbours = [
  { name: 'Ollama', port: 11_434, path: '/api/version', isIt: /"version"/ },
  { name: 'LM Studio', port: 1_234, path: '/v1/models', isIt: /"data"/ },
  { name: 'llama-server', port: 8_080, path: '/props', isIt: /"default_generation_settings"/ },
  { name: 'LocalAI', port: 8_080, path: '/readyz', isIt: /^OK$/ },
  { name: 'Open WebUI', port: 3_000, path: '/api/config', isIt: /Open WebUI/ },
] as const;

/** The port, the hub, the clock against the hub's, and whoever else serves models here. */
export async function checkNetwork(box: Box, settings: NetworkSettings): Promise<Finding[]> {
  const [port, hub, others] = await Promise.all([
    checkPort(box, settings),
    askHub(box, settings),
    checkNeighbours(box, settings),
  ]);
  return [port, hub.finding, checkClock(box, hub.answer, settings), checkZone(box, settings), others];
}

async function checkPort(box: Box, { host, port, hearthAnswers }: NetworkSettings): Promise<Finding> {
  const [id, title] = ['network.port', 'Port'];
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const facts = { host, port };
  if (port === 0) return ok(id, title, 'any that is free', { facts: { ...facts, holder: null } });
  if (hearthAnswers) return ok(id, title, `${where}: Hearth answers`, { facts: { ...facts, holder: 'hearth' } });
  const problem = await box.tryPort(host, port);
  if (problem === null) return ok(id, title, `${where} is free`, { facts: { ...facts, holder: null } });
  const holder = problem === 'EADDRINUSE' ? holderOf(box, port) : null;
  const why =
    problem === 'EADDRINUSE'
      ? `is in use${holder === null ? ', by a process of somebody else' : ` by ${holder}`}`
      : `cannot be used (${problem})`;
  return failure(id, title, `${where} ${why}`, {
    facts: { ...facts, holder, problem },
    means: 'Hearth does not start.',
    fix:
      problem === 'EADDRNOTAVAIL'
        ? 'Choose an address of this machine with --host or HEARTH_HOST.'
        : 'Choose another port with --port or HEARTH_PORT, or end that program.',
  });
}

/** The process that listens on a port, as far as its files may be read: `ollama (process 812)`. */
function holderOf(box: Box, port: number): string | null {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => (box.readFile(path) ?? '').split('\n'));
  // sl local_address rem_address st … inode; 0A is a socket that listens.
  const inodes = rows.flatMap((row) => {
    const cells = row.trim().split(/\s+/);
    return cells[1]?.endsWith(`:${hex}`) && cells[3] === '0A' ? [cells[9]] : [];
  });
  const sockets = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const pid of box.list('/proc').filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${pid}/fd`;
    if (!box.list(folder).some((descriptor) => sockets.has(box.linkTarget(`${folder}/${descriptor}`) ?? ''))) continue;
    return `${box.readFile(`/proc/${pid}/comm`)?.trim() ?? 'a program'} (process ${pid})`;
  }
  return null;
}

async function askHub(
  box: Box,
  { hub, hubProxy, isOffline, wantsHub }: NetworkSettings,
): Promise<{ finding: Finding; answer: Answer | null }> {
  const [id, title] = ['network.hub', 'Hub'];
  if (isOffline)
    return { finding: ok(id, title, 'not asked (--offline)', { facts: { hub, reached: null } }), answer: null };
  if (hubProxy !== null) {
    return {
      finding: ok(id, title, `not asked: it is reached through a proxy; ${box.sayCommand('pull')} uses that`, {
        facts: { hub, reached: null },
      }),
      answer: null,
    };
  }
  const answer = await box.ask(hub, askMs);
  const facts = {
    hub,
    reached: !('reason' in answer),
    ...('reason' in answer ? { reason: answer.reason } : { status: answer.status, took_ms: answer.tookMs }),
  };
  if (!('reason' in answer))
    return { finding: ok(id, title, `${hub} answers, in ${answer.tookMs} ms`, { facts }), answer };
  return {
    answer,
    finding: (wantsHub ? warning : info)(id, title, `${hub} cannot be reached (${answer.reason})`, {
      facts,
      means: `${wantsHub ? 'A pull waits for it, and no' : 'No'} model can be pulled. Everything else works without the network.`,
      fix: 'Look at the network and at its name server; a proxy is set with HTTPS_PROXY, another hub with models.hub. --offline leaves this out.',
    }),
  };
}

function checkClock(box: Box, answer: Answer | null, { isOffline }: NetworkSettings): Finding {
  const [id, title] = ['clock.time', 'Clock'];
  const now = box.now();
  const told = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const fix = `Let the machine set its clock (NTP)${byPlace(box, { container: '; a container has that of its machine', plain: '' })}.`;
  const date = answer === null || 'reason' in answer ? null : answer.date;
  if (now.getUTCFullYear() < 2026) {
    return failure(id, title, told, {
      facts: { now: told, skew_ms: null },
      means: 'Certificates are checked against it: nothing can be reached.',
      fix,
    });
  }
  if (date === null) {
    return ok(id, title, `${told}${isOffline ? '' : ', which nobody could be asked about'}`, {
      facts: { now: told, skew_ms: null },
    });
  }
  const skewMs = now.getTime() - date.getTime();
  const facts = { now: told, skew_ms: skewMs };
  const found = `${told}, ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs < 0 ? 'behind' : 'ahead of'} the hub's`;
  if (Math.abs(skewMs) >= badSkewMs) {
    return failure(id, title, found, {
      facts,
      means: 'Signed requests (Amazon Bedrock) and signed tokens are refused.',
      fix,
    });
  }
  if (Math.abs(skewMs) >= mostSkewMs)
    return warning(id, title, found, { facts, means: 'Beyond five minutes signed requests are refused.', fix });
  // The header has whole seconds, and the answer was on its way.
  return ok(id, title, Math.abs(skewMs) < 3_000 ? `${told}, as the hub's` : found, { facts });
}

function checkZone(box: Box, { hasHours }: NetworkSettings): Finding {
  const { timeZone } = box;
  const facts = { time_zone: timeZone, has_hours: hasHours };
  if (hasHours && /^(Etc\/)?(UTC|GMT)$/.test(timeZone)) {
    return warning('clock.zone', 'Time zone', timeZone, {
      facts,
      means: 'models.pull_window and jobs.window are hours of this zone, and yours may be another one.',
      fix: `Set TZ, such as TZ=Europe/Berlin${byPlace(box, { container: ', in the compose file', plain: '' })}.`,
    });
  }
  return ok('clock.zone', 'Time zone', timeZone, { facts });
}

async function checkNeighbours(box: Box, { port: own }: NetworkSettings): Promise<Finding> {
  const asked = await Promise.all(
    neighbours
      .filter(({ port }) => port !== own)
      .map(async ({ name, port, path, isIt }) => {
        const answer = await box.ask(`http://127.0.0.1:${port}${path}`, 1_000);
        return !('reason' in answer) && answer.status === 200 && isIt.test(answer.text) ? [{ name, port }] : [];
      }),
  );
  const there = asked.flat();
  const facts = { servers: there };
  if (there.length === 0) return ok('network.neighbours', 'Other servers', 'none on their usual ports', { facts });
  const found = there.map(({ name, port }) => `${name} on port ${port}`).join(', ');
  return ok('network.neighbours', 'Other servers', found, {
    facts,
    means: there.some(({ name }) => name === 'Open WebUI')
      ? 'Open WebUI takes Hearth as a connection of the type OpenAI.'
      : `It has memory that Hearth then counts as taken. Its models can be served by Hearth: ${box.sayCommand('import FILE')}.`,
  });
}
