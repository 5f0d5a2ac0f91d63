import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder below `/sys/class`, with the texts of the files in it that were asked for. */
export interface SysDevice {
  name: string;
  /** Null: it has no such file, or it cannot be read. */
  read(file: string): Promise<string | null>;
  /** Names of its files. */
  list(): Promise<string[]>;
}

/** The devices of a class (`thermal`, `power_supply`), by name; empty where there is no such class. */
export async function sysDevices(folder: string): Promise<SysDevice[]> {
  const names = await readdir(folder).catch(() => []);
  return names.sort().map((name) => ({
    name,
    // Which of these files exist, and which answer, differs from device to device; a missing one is an answer.
    read: async (file) => (await readFile(join(folder, name, file), 'utf8').catch(() => null))?.trim() ?? null,
    list: async () => (await readdir(join(folder, name)).catch(() => [])).sort(),
  }));
}
