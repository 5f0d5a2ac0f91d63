import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './server.ts';

const driverFolder = '/usr/share/vulkan/icd.d';
const loaders = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib64/libvulkan.so.1', '/usr/lib/libvulkan.so.1'];

/**
 * Variables with which Vulkan has exactly one device, Mesa's rasterizer on the CPU (lavapipe), or why it cannot be had.
 * llama.cpp leaves devices of that type out unless one is asked for by its number.
 */
export function softwareVulkan(): { environment: Record<string, string> } | { skip: string } {
  const driver = existsSync(driverFolder) && readdirSync(driverFolder).find((name) => /^lvp_icd.*\.json$/.test(name));
  if (!driver) return { skip: 'no software Vulkan (Debian package mesa-vulkan-drivers)' };
  if (!loaders.some(existsSync)) return { skip: 'no Vulkan loader (Debian package libvulkan1)' };
  if (!existsSync(join(repositoryRoot, 'node_modules/@node-llama-cpp/linux-x64-vulkan'))) {
    return { skip: 'the Vulkan build of the library is not installed' };
  }
  return { environment: { VK_ICD_FILENAMES: join(driverFolder, driver), GGML_VK_VISIBLE_DEVICES: '0' } };
}
