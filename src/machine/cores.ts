import { findCgroups, type ReadFile } from './cgroup.ts';

/** Readings of the machine. */
interface CoresReader {
  readFile: ReadFile;
  /** `os.availableParallelism()`: used where `/proc` does not tell. */
  affinityCount: number;
}

type CoresSource = 'affinity' | 'quota' | 'physical-cores';

/** How many threads may decode at the same time without getting in each other's way. */
interface UsableCores {
  /** At least 1. */
  cores: number;
  /** Logical processors that this process may run on. */
  affinity: number;
  /** CPU time per time that the container grants, in cores; null: no quota. */
  quotaCores: number | null;
  /** Cores behind those processors, hyper-threads counted once; null: unknown. */
  physicalCores: number | null;
  /** Which of the three is the least; at a tie the first of: affinity, physical cores, quota. */
  source: CoresSource;
}

/**
 * The least of affinity mask, physical cores and CPU quota (cgroup v2 `cpu.max`, v1 `cfs_quota_us`, on every level),
 * the quota rounded down. One thread more than this collapses the speed of decoding, because its threads spin on
 * barriers: see engine/threads/README.md. Never throws.
 */
export function usableCores(reader: CoresReader): UsableCores {
  const processors = affinityList(reader.readFile);
  const affinity = Math.max(1, processors?.length ?? reader.affinityCount);
  const physicalCores = processors === null ? null : countPhysicalCores(reader.readFile, processors);
  const quotaCores = readQuotaCores(reader.readFile);

  let cores = affinity;
  let source: CoresSource = 'affinity';
  if (physicalCores !== null && physicalCores < cores) {
    cores = physicalCores;
    source = 'physical-cores';
  }
  const wholeQuota = quotaCores === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(quotaCores));
  if (wholeQuota < cores) {
    cores = wholeQuota;
    source = 'quota';
  }
  return { cores, affinity, quotaCores, physicalCores, source };
}

/** Processors from a list such as `0-3,8`; null when `/proc` does not say. */
function affinityList(readFile: ReadFile): number[] | null {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)\s*$/m.exec(readFile('/proc/self/status') ?? '')?.[1];
  if (list === undefined) return null;
  const processors: number[] = [];
  for (const range of list.split(',')) {
    const [first, last = first] = range.split('-').map(Number);
    if (first === undefined || last === undefined || !(last - first < 4_096)) return null;
    for (let processor = first; processor <= last; processor++) processors.push(processor);
  }
  return processors.length > 0 ? processors : null;
}

/** Distinct cores among `processors`; null when neither `/sys` nor `/proc/cpuinfo` tells. */
function countPhysicalCores(readFile: ReadFile, processors: readonly number[]): number | null {
  const fromCpuinfo = parseCpuinfo(readFile('/proc/cpuinfo') ?? '');
  const cores = new Set<string>();
  for (const processor of processors) {
    const topology = `/sys/devices/system/cpu/cpu${processor}/topology`;
    // The list of siblings is right even where core ids repeat in every cluster, as on some ARM boards.
    const siblings = (readFile(`${topology}/core_cpus_list`) ?? readFile(`${topology}/thread_siblings_list`))?.trim();
    const core = siblings || idPair(readFile, topology) || fromCpuinfo.get(processor);
    if (!core) return null;
    cores.add(core);
  }
  return cores.size;
}

function idPair(readFile: ReadFile, topology: string): string | null {
  const core = readFile(`${topology}/core_id`)?.trim();
  const cpuPackage = readFile(`${topology}/physical_package_id`)?.trim();
  return core && cpuPackage ? `${cpuPackage}/${core}` : null;
}

function parseCpuinfo(text: string): Map<number, string> {
  const cores = new Map<number, string>();
  for (const block of text.split(/\n\s*\n/)) {
    const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(\\d+)`, 'm').exec(block)?.[1];
    const processor = field('processor');
    const core = field('core id');
    const cpuPackage = field('physical id');
    if (processor !== undefined && core !== undefined && cpuPackage !== undefined) {
      cores.set(Number(processor), `${cpuPackage}/${core}`);
    }
  }
  return cores;
}

/** The least quota on the way from this process's group to the root. */
function readQuotaCores(readFile: ReadFile): number | null {
  let least: number | null = null;
  for (const { version, folders } of findCgroups(readFile, 'cpu')) {
    for (const folder of folders) {
      const [quota, period] = version === 2 ? readVersion2(readFile, folder) : readVersion1(readFile, folder);
      // -1 and `max` mean no quota.
      if (!(quota > 0) || !(period > 0)) continue;
      least = Math.min(least ?? Number.POSITIVE_INFINITY, quota / period);
    }
  }
  return least;
}

function readVersion2(readFile: ReadFile, folder: string): [number, number] {
  const [quota, period] = (readFile(`${folder}/cpu.max`) ?? '').trim().split(/\s+/);
  return [Number(quota), Number(period)];
}

function readVersion1(readFile: ReadFile, folder: string): [number, number] {
  const read = (name: string) => Number(readFile(`${folder}/cpu.${name}`)?.trim() || Number.NaN);
  return [read('cfs_quota_us'), read('cfs_period_us')];
}
