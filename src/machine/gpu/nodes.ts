import { accessSync, constants, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What detection reads of a machine; tests pass trees of their own. Nothing here starts a process. */
export interface GpuFiles {
  /** Text of a file, or null when it cannot be read. */
  read(path: string): string | null;
  /** Names in a folder, sorted; empty when there is none. */
  list(path: string): string[];
  /** Last part of a link's target, or null. */
  linkName(path: string): string | null;
  /** Whether this process may open a device node for reading and writing. */
  canOpen(path: string): boolean;
}

/** A way into a GPU that this process has, or would have with the right to it. */
export interface GpuNode {
  path: string;
  kind: 'nvidia' | 'render';
  vendor: GpuVendor;
  /** Vendor's model name where the driver tells it, else `vendor:device` in hexadecimal. */
  name: string;
  /** Address on the PCI bus, or null for a GPU beside the bus. */
  address: string | null;
  /** Video memory where the driver shows it, or null. */
  memoryBytes: number | null;
  /** Known to share the machine's memory: Intel's graphics at their fixed place on the bus. */
  isIntegrated: boolean;
  canOpen: boolean;
}

type GpuVendor = 'nvidia' | 'amd' | 'intel' | 'other';

/** What can be known of the machine's GPUs without asking any driver to work. */
export interface GpuNodes {
  nodes: GpuNode[];
  /** Version of the NVIDIA kernel driver, or null. */
  nvidiaDriver: string | null;
  /** What stands between a GPU that is there and its use; one sentence each, with what to do. */
  problems: string[];
}

const vendors = new Map<string, GpuVendor>([
  ['0x10de', 'nvidia'],
  ['0x1002', 'amd'],
  ['0x8086', 'intel'],
]);

/** Looks for GPUs in /dev, /sys and /proc: a few small reads. Never throws. */
export function findGpuNodes(files: GpuFiles): GpuNodes {
  const nodes = [...nvidiaNodes(files), ...renderNodes(files)];
  const problems = nodes.filter((node) => !node.canOpen).map(noPermission);
  const known = new Set(nodes.flatMap((node) => node.address ?? []));
  for (const card of pciDisplays(files)) {
    if (known.has(card.address) || card.vendor === 'other') continue;
    const want = card.vendor === 'nvidia' ? 'the NVIDIA container toolkit, or /dev/nvidia*' : '/dev/dri';
    problems.push(
      `a GPU (${card.name}) is on the bus but has no device node here; a container needs ${want} passed through`,
    );
  }
  if (files.list('/dev').includes('kfd') && !nodes.some((node) => node.kind === 'render')) {
    problems.push('/dev/kfd is here without /dev/dri; AMD GPUs are used through Vulkan, which needs /dev/dri');
  }
  const nvidiaDriver = /Kernel Module\D*([\d.]+)/.exec(files.read('/proc/driver/nvidia/version') ?? '')?.[1] ?? null;
  return { nodes, nvidiaDriver, problems };
}

function noPermission(node: GpuNode): string {
  const group = node.kind === 'render' ? "; add the server's user to the group that owns it (often render)" : '';
  return `${node.path} may not be opened by this user${group}`;
}

/** /dev/nvidia0 and on; names and addresses come from the driver's folder in /proc, in the order of the minor numbers. */
function nvidiaNodes(files: GpuFiles): GpuNode[] {
  const cards = files.list('/proc/driver/nvidia/gpus').map((address) => {
    const text = files.read(`/proc/driver/nvidia/gpus/${address}/information`) ?? '';
    const minor = /^Device Minor:\s*(\d+)/m.exec(text)?.[1];
    return { address, minor, name: /^Model:\s*(\S.*?)\s*$/m.exec(text)?.[1] ?? 'NVIDIA GPU' };
  });
  return files
    .list('/dev')
    .filter((name) => /^nvidia\d+$/.test(name))
    .map((name) => {
      const card = cards.find(({ minor }) => name === `nvidia${minor}`);
      return {
        path: `/dev/${name}`,
        kind: 'nvidia',
        vendor: 'nvidia',
        name: card?.name ?? 'NVIDIA GPU',
        address: card?.address ?? null,
        memoryBytes: null,
        isIntegrated: false,
        canOpen: files.canOpen(`/dev/${name}`),
      };
    });
}

function renderNodes(files: GpuFiles): GpuNode[] {
  return files
    .list('/dev/dri')
    .filter((name) => /^renderD\d+$/.test(name))
    .map((name) => {
      const device = `/sys/class/drm/${name}/device`;
      const memory = Number(files.read(`${device}/mem_info_vram_total`)?.trim() || Number.NaN);
      const address = files.linkName(device);
      const about = identity(files, device);
      return {
        path: `/dev/dri/${name}`,
        kind: 'render',
        ...about,
        isIntegrated: about.vendor === 'intel' && /:00:02\.\d$/.test(address ?? ''),
        address: address !== null && /^[\da-f]{4,}:/i.test(address) ? address : null,
        memoryBytes: Number.isSafeInteger(memory) && memory > 0 ? memory : null,
        canOpen: files.canOpen(`/dev/dri/${name}`),
      };
    });
}

/** Display controllers on the bus, whether or not there is a node for them. */
function pciDisplays(files: GpuFiles): { address: string; vendor: GpuVendor; name: string }[] {
  return files
    .list('/sys/bus/pci/devices')
    .map((address) => ({ address, device: `/sys/bus/pci/devices/${address}` }))
    .filter(({ device }) => files.read(`${device}/class`)?.startsWith('0x03'))
    .map(({ address, device }) => ({ address, ...identity(files, device) }));
}

function identity(files: GpuFiles, device: string): { vendor: GpuVendor; name: string } {
  const id = (file: string) => /^0x[\da-f]{4}$/i.exec(files.read(`${device}/${file}`)?.trim() ?? '')?.[0].toLowerCase();
  const vendorId = id('vendor');
  const vendor = vendors.get(vendorId ?? '') ?? 'other';
  const label = { nvidia: 'NVIDIA', amd: 'AMD', intel: 'Intel', other: 'GPU' }[vendor];
  return { vendor, name: vendorId ? `${label} ${vendorId.slice(2)}:${id('device')?.slice(2) ?? '????'}` : label };
}

/** The files of this machine. */
export function systemGpuFiles(): GpuFiles {
  const orNull = <T>(attempt: () => T): T | null => {
    try {
      return attempt();
    } catch {
      // Not there, or not for us: both mean that it cannot be used.
      return null;
    }
  };
  return {
    read: (path) => orNull(() => readFileSync(path, 'utf8')),
    list: (path) => orNull(() => readdirSync(path).sort()) ?? [],
    linkName: (path) => orNull(() => readlinkSync(path).split('/').at(-1) ?? null),
    canOpen: (path) => orNull(() => accessSync(path, constants.R_OK | constants.W_OK) ?? true) !== null,
  };
}
