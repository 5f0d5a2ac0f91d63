import { imageVariable } from '../config/program-name.ts';
import type { Box } from './box.ts';

/** The kind of container that this runs in, in words; null: none that can be told. Its advice speaks of a compose file. */
export function containerOf(box: Pick<Box, 'readFile'>): string | null {
  if (box.readFile('/.dockerenv') !== null) return 'a container of Docker';
  if (box.readFile('/run/.containerenv') !== null) return 'a container of Podman';
  return /\/(docker|kubepods|lxc|containerd)/.test(box.readFile('/proc/1/cgroup') ?? '') ? 'a container' : null;
}

/** Whether the program is that of our image, whose start takes the rights of `PUID` and `PGID`. */
export function isImage(box: Pick<Box, 'environment'>): boolean {
  return box.environment[imageVariable] !== undefined;
}

/** What to do about something: for a container, and where there is none. */
export function byPlace<T>(box: Pick<Box, 'readFile'>, ways: { container: T; plain: T }): T {
  return containerOf(box) === null ? ways.plain : ways.container;
}
