import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Types of file systems that lie on another machine, as `statfs` tells them. Source: linux/magic.h, and the headers of the
 * file systems. FUSE is not among them: it may be a disk as well.
 */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x564c, 'NCP'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x01021997, '9p'],
]);

/** What kind of network share a path lies on, or would; null: none, or it cannot be told. */
export function networkShareOf(
  path: string,
  typeOf: (folder: string) => number = (folder) => statfsSync(folder).type,
): string | null {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      // The type is a signed word on some machines.
      return networkFileSystems.get(typeOf(folder) >>> 0) ?? null;
    } catch {
      // Not there yet: its parent tells.
      if (folder === dirname(folder)) return null;
    }
  }
}
