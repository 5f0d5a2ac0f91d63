import { findCgroups } from '../machine/cgroup.ts';
import type { Box } from './box.ts';
import { byPlace } from './container.ts';
import { type Finding, ok, warning } from './finding.ts';

const leastFiles = 4_096;
const leastProcesses = 256;

/** What the system lets one process have: open files, processes, watches of files. */
export function checkLimits(box: Box): Finding[] {
  const limits = box.readFile('/proc/self/limits');
  if (limits === null) return [];
  return [checkFiles(box, limits), checkProcesses(box, limits), checkWatches(box)];
}

/** The soft limit; null: not told; Infinity: none. */
function softLimit(text: string, name: string): number | null {
  const value = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text)?.[1];
  if (value === undefined) return null;
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value);
}

const inWords = (limit: number | null) =>
  limit === null ? 'not told' : Number.isFinite(limit) ? `${limit}` : 'no limit';
const inFacts = (limit: number | null) => ({ limit: limit !== null && Number.isFinite(limit) ? limit : null });

function checkFiles(box: Box, text: string): Finding {
  const limit = softLimit(text, 'Max open files');
  if (limit !== null && limit < leastFiles) {
    return warning('limits.files', 'Open files', `at most ${limit}`, {
      facts: inFacts(limit),
      means: 'Each connection and each file of a model is one: with many clients connections are refused.',
      fix: byPlace(box, {
        container: 'ulimits: nofile in the compose file.',
        plain: `ulimit -n ${leastFiles} before the start, or LimitNOFILE= of systemd.`,
      }),
    });
  }
  return ok('limits.files', 'Open files', inWords(limit), { facts: inFacts(limit) });
}

function checkProcesses(box: Box, text: string): Finding {
  const own = softLimit(text, 'Max processes') ?? Number.POSITIVE_INFINITY;
  const ofGroups = findCgroups(box.readFile, 'memory').flatMap(({ folders }) =>
    folders.map((folder) => Number(box.readFile(`${folder}/pids.max`)?.trim() || Number.NaN)),
  );
  const limit = Math.min(own, ...ofGroups.filter((value) => value > 0));
  if (limit < leastProcesses) {
    return warning('limits.processes', 'Processes and threads', `at most ${limit}`, {
      facts: inFacts(limit),
      means: 'Each loaded model is a process with a dozen threads or more; a load may fail.',
      fix: byPlace(box, {
        container: 'Set pids_limit in the compose file higher.',
        plain: `ulimit -u ${leastProcesses * 4}, or TasksMax= of systemd.`,
      }),
    });
  }
  return ok('limits.processes', 'Processes and threads', inWords(limit), { facts: inFacts(limit) });
}

/** The configuration file is watched; without a watch it is looked at every ten seconds. */
function checkWatches(box: Box): Finding {
  const read = (name: string) => Number(box.readFile(`/proc/sys/fs/inotify/${name}`)?.trim() || Number.NaN);
  const [watches, instances] = [read('max_user_watches'), read('max_user_instances')];
  const facts = { watches: orNull(watches), instances: orNull(instances) };
  const found = Number.isNaN(watches) ? 'not told' : `${watches}, in ${instances} lists`;
  if (watches < 64 || instances < 16) {
    return warning('limits.watches', 'Watches of files', found, {
      facts,
      means: 'A change of the configuration file may be seen only after ten seconds.',
      fix: 'sysctl fs.inotify.max_user_instances=128 fs.inotify.max_user_watches=8192',
    });
  }
  return ok('limits.watches', 'Watches of files', found, { facts });
}

const orNull = (value: number) => (Number.isNaN(value) ? null : value);
