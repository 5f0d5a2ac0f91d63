import { join } from 'node:path';
import { findGpuNodes, type GpuNode } from '../machine/gpu/nodes.ts';
import type { Box } from './box.ts';
import { byPlace } from './container.ts';
import { type Finding, ok, warning } from './finding.ts';

interface GpuSettings {
  /** `engine.gpu`. */
  wish: string;
  dataFolder: string;
}

const libraryFolders = ['/usr/lib', '/usr/lib64', '/lib', '/lib64', '/usr/local/lib'];
const driverFolders = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/** GPUs: their device nodes, who may open them, and the libraries that lead to them. Starts none. */
export function checkGpu(box: Box, { wish, dataFolder }: GpuSettings): Finding[] {
  const files = {
    read: box.readFile,
    list: box.list,
    linkName: (path: string) => box.linkTarget(path)?.split('/').at(-1) ?? null,
    canOpen: box.canOpen,
  };
  const { nodes, nvidiaDriver, problems } = findGpuNodes(files);
  const devices = checkDevices(box, { nodes, nvidiaDriver, problems, wish, tried: triedIn(box, dataFolder) });
  if (wish === 'off') return [devices];
  const hasRender = nodes.some(({ kind }) => kind === 'render');
  const hasNvidia = nodes.some(({ kind }) => kind === 'nvidia');
  return [devices, ...(hasRender ? [checkVulkan(box)] : []), ...(hasNvidia ? [checkCuda(box)] : [])];
}

function checkDevices(
  box: Box,
  about: {
    nodes: readonly GpuNode[];
    nvidiaDriver: string | null;
    problems: readonly string[];
    wish: string;
    tried: string[];
  },
): Finding {
  const { nodes, nvidiaDriver, problems, wish, tried } = about;
  const [id, title] = ['gpu.devices', 'GPU'];
  const facts = {
    nodes: nodes.map(({ path, vendor, name, canOpen }) => ({
      path,
      vendor,
      name,
      can_open: canOpen,
      group: box.ownerOf(path)?.gid ?? null,
    })),
    nvidia_driver: nvidiaDriver,
    wish,
    tried,
  };
  const found =
    nodes.length === 0
      ? 'none; the processor does the work'
      : nodes.map(({ name, path }) => `${name} (${path})`).join(', ') +
        (tried.length > 0 ? `; ${tried.join('; ')}` : '');
  if (wish === 'off') return ok(id, title, `${found}; engine.gpu is off`, { facts });
  if (problems.length === 0) return ok(id, title, found, { facts });
  const closed = nodes.filter(({ canOpen }) => !canOpen);
  const groups = [...new Set(closed.flatMap(({ path }) => box.ownerOf(path)?.gid ?? []))];
  return warning(id, title, found, {
    facts,
    means: `${problems.join('; ')}.`,
    fix:
      groups.length > 0
        ? byPlace(box, {
            container: `group_add: [${groups.map((group) => `"${group}"`).join(', ')}] in the compose file.`,
            plain: `usermod -aG ${groups[0]} USER, and start anew.`,
          })
        : byPlace(box, {
            container: 'Pass the device through to the container, or set HEARTH_GPU=off if it is not to be used.',
            plain: 'Install its driver, or set HEARTH_GPU=off if it is not to be used.',
          }),
  });
}

/** What came of earlier tries, which a server keeps in its data folder. */
function triedIn(box: Box, dataFolder: string): string[] {
  try {
    const { results } = JSON.parse(box.readFile(join(dataFolder, 'gpu-probe.json')) ?? '{}') as {
      results?: Record<string, { devices?: { name: string }[]; reason?: string }>;
    };
    return Object.entries(results ?? {}).map(([backend, { devices, reason }]) =>
      devices ? `${backend} works on ${devices.map(({ name }) => name).join(', ')}` : `${backend}: ${reason}`,
    );
  } catch {
    // A damaged file counts as none.
    return [];
  }
}

function checkVulkan(box: Box): Finding {
  const loader = findLibrary(box, /^libvulkan\.so\.1/);
  const drivers = driverFolders.flatMap((folder) => box.list(folder)).filter((name) => name.endsWith('.json'));
  const facts = { loader, drivers };
  if (loader !== null && drivers.length > 0) {
    return ok('gpu.vulkan', 'Vulkan', `${loader}, drivers ${drivers.join(', ')}`, { facts });
  }
  return warning('gpu.vulkan', 'Vulkan', loader === null ? 'no loader (libvulkan.so.1)' : 'no driver', {
    facts,
    means: 'Integrated and AMD GPUs are used through Vulkan only.',
    fix: byPlace(box, {
      container: 'Take the image of the variant vulkan.',
      plain: 'apt-get install libvulkan1 mesa-vulkan-drivers',
    }),
  });
}

function checkCuda(box: Box): Finding {
  const library = findLibrary(box, /^libcuda\.so\.1/);
  if (library !== null) return ok('gpu.cuda', 'CUDA', library, { facts: { library } });
  return warning('gpu.cuda', 'CUDA', 'no driver library (libcuda.so.1)', {
    facts: { library },
    means: 'The card cannot be used through CUDA.',
    fix: byPlace(box, {
      container: 'runtime: nvidia in the compose file, with the capabilities compute and utility.',
      plain: 'Install the driver of NVIDIA.',
    }),
  });
}

function findLibrary(box: Box, name: RegExp): string | null {
  // Debian has a folder for each kind of processor below.
  const folders = libraryFolders.flatMap((folder) => [
    folder,
    ...box
      .list(folder)
      .filter((inside) => inside.includes('-linux-gnu'))
      .map((inside) => join(folder, inside)),
  ]);
  for (const folder of folders) {
    const found = box.list(folder).find((file) => name.test(file));
    if (found !== undefined) return join(folder, found);
  }
  return null;
}
