import { gigabytes, memorySize } from '../core/format-units.ts';
import { findCgroups } from '../machine/cgroup.ts';
import { readMemoryBudget } from '../machine/memory-budget.ts';
import type { Box } from './box.ts';
import { byPlace } from './container.ts';
import { type Finding, ok, warning } from './finding.ts';

interface MemorySettings {
  memoryLimitBytes: number | null;
  memoryReserveBytes: number | null;
}

const sources: Readonly<Record<string, string>> = {
  host: 'of the machine',
  'cgroup-v2': 'limit of the control group',
  'cgroup-v1': 'limit of the control group',
  process: 'limit of the process',
  config: 'engine.memory_limit',
};

const containerSources: typeof sources = {
  ...sources,
  'cgroup-v2': 'limit of the container',
  'cgroup-v1': 'limit of the container',
};

/** What there is to load models into. */
export function checkMemory(box: Box, settings: MemorySettings): Finding[] {
  return [checkBudget(box, settings), checkSwap(box), checkKills(box)];
}

function checkBudget(box: Box, { memoryLimitBytes, memoryReserveBytes }: MemorySettings): Finding {
  const budget = readMemoryBudget(box.memory, { limitBytes: memoryLimitBytes, reserveBytes: memoryReserveBytes });
  const { totalBytes, availableBytes, reserveBytes, source } = budget;
  const facts = {
    budget_bytes: totalBytes,
    available_bytes: availableBytes,
    reserve_bytes: reserveBytes,
    source,
    cgroup_versions: [...new Set(findCgroups(box.readFile, 'memory').map(({ version }) => version))],
  };
  const found = `${gigabytes(availableBytes)} free of ${gigabytes(totalBytes)} for Hearth (${byPlace(box, { container: containerSources, plain: sources })[source] ?? source}, ${memorySize(reserveBytes)} left to others)`;
  if (totalBytes < 2 ** 30) {
    return warning('memory.budget', 'Memory', found, {
      facts,
      means: 'Only models of a few hundred million parameters fit.',
      fix: source.startsWith('cgroup')
        ? byPlace(box, {
            container: 'Give the container more (mem_limit).',
            plain: 'Give its control group more (MemoryMax= of systemd).',
          })
        : `Choose a small model: ${box.sayCommand('list --available')}.`,
    });
  }
  if (availableBytes < totalBytes / 5) {
    return warning('memory.budget', 'Memory', found, {
      facts,
      means: 'Other services have most of it, so that little can be loaded now.',
      fix: `${box.sayCommand('plan MODEL')} says what would fit; end what is not needed.`,
    });
  }
  return ok('memory.budget', 'Memory', found, { facts });
}

function checkSwap(box: Box): Finding {
  const kib = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(box.readFile('/proc/meminfo') ?? '')?.[1] ?? Number.NaN);
  const totalBytes = kib('SwapTotal') * 1_024;
  const usedBytes = totalBytes - kib('SwapFree') * 1_024;
  if (Number.isNaN(totalBytes)) return ok('memory.swap', 'Swap', 'not told by this system');
  const facts = { total_bytes: totalBytes, used_bytes: usedBytes };
  if (totalBytes === 0) return ok('memory.swap', 'Swap', 'none', { facts });
  const found = `${gigabytes(usedBytes)} used of ${gigabytes(totalBytes)}`;
  if (usedBytes > kib('MemTotal') * 1_024 * 0.25) {
    return warning('memory.swap', 'Swap', found, {
      facts,
      means: 'The machine has given out more memory than it has; whatever is swapped is slow, models above all.',
      fix: 'Load smaller models, or set engine.memory_limit lower.',
    });
  }
  return ok('memory.swap', 'Swap', found, { facts });
}

/** Whether the kernel has ended something of this container for its memory. */
function checkKills(box: Box): Finding {
  const counts = findCgroups(box.readFile, 'memory').flatMap(({ version, folders }) => {
    const text = box.readFile(`${folders[0]}/${version === 2 ? 'memory.events' : 'memory.oom_control'}`) ?? '';
    return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0);
  });
  const kills = Math.max(0, ...counts);
  if (kills === 0) return ok('memory.kills', 'Ended for memory', 'nothing so far', { facts: { kills } });
  return warning(
    'memory.kills',
    'Ended for memory',
    `${kills} ${kills === 1 ? 'process' : 'processes'} of this ${byPlace(box, { container: 'container', plain: 'control group' })}`,
    {
      facts: { kills },
      means:
        'The kernel ended them because the limit was reached. A model that goes like this is loaded again, and its answers are lost.',
      fix: `Give the ${byPlace(box, { container: 'container', plain: 'group' })} more memory, or set engine.memory_reserve higher.`,
    },
  );
}
