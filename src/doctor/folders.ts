import { dirname } from 'node:path';
import { fileSize } from '../core/format-units.ts';
import { networkShareOf } from '../files/network-share.ts';
import type { Box, Owner } from './box.ts';
import { containerOf, isImage } from './container.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

export interface FolderSettings {
  modelsFolder: string;
  dataFolder: string;
  /** Null: there is none. */
  configFile: string | null;
  /** Left free by pulls. */
  reserveBytes: number;
  /** Whether ledger and kept responses lie in a database elsewhere. */
  hasOwnDatabase: boolean;
}

const leastDataBytes = 256 * 2 ** 20;
/** Beyond what pulls leave free: the smallest useful model. */
const leastModelBytes = 10 ** 9;

/** The folders: whether they take files, whom they belong to, what room there is, and what they lie on. */
export function checkFolders(box: Box, settings: FolderSettings, shareOf = networkShareOf): Finding[] {
  const { modelsFolder, dataFolder, configFile } = settings;
  return [
    checkData(box, dataFolder),
    checkModels(box, modelsFolder),
    ...(configFile === null ? [] : [checkConfigFile(box, configFile)]),
    ...checkRoom(box, settings),
    checkShare(settings, shareOf(`${dataFolder}/hearth.sqlite`)),
  ];
}

function checkData(box: Box, folder: string): Finding {
  const [id, title] = ['folders.data', 'Data folder'];
  const { nearest, owner, problem } = lookAt(box, folder);
  const facts = { path: folder, exists: nearest === folder, ...ownerFacts(owner), problem };
  if (problem === null) {
    const found = nearest === folder ? `${folder} takes files` : `${folder} is not there yet, and will be made`;
    return ok(id, title, found, { facts });
  }
  return failure(id, title, `${folder} does not take files (${problem})`, {
    facts,
    means: 'Hearth does not start: costs, budgets, keys and what was measured are kept there.',
    fix: rightsFix(box, nearest, owner, '--data or HEARTH_DATA'),
  });
}

function checkModels(box: Box, folder: string): Finding {
  const [id, title] = ['folders.models', 'Model folder'];
  const { nearest, owner, problem } = lookAt(box, folder);
  const facts = { path: folder, exists: nearest === folder, ...ownerFacts(owner), problem };
  if (nearest === folder && owner !== null && !owner.isFolder) {
    return failure(id, title, `${folder} is no folder`, {
      facts,
      means: 'Hearth does not start.',
      fix: 'Name the folder that has the GGUF files with --models or HEARTH_MODELS.',
    });
  }
  if (nearest !== folder) {
    return ok(id, title, `${folder} is not there yet; the first pull makes it`, { facts });
  }
  if (problem === null) return ok(id, title, `${folder} takes files`, { facts });
  return warning(id, title, `${folder} does not take files (${problem})`, {
    facts,
    means: 'Models are read from it, and none can be pulled, imported or removed.',
    fix: rightsFix(box, nearest, owner, '--models or HEARTH_MODELS'),
  });
}

/** The folder, or the nearest above it that is there, where it would be made. */
function lookAt(box: Box, folder: string): { nearest: string; owner: Owner | null; problem: string | null } {
  for (let nearest = folder; ; nearest = dirname(nearest)) {
    const owner = box.ownerOf(nearest);
    if (owner !== null) return { nearest, owner, problem: owner.isFolder ? box.tryWrite(nearest) : 'ENOTDIR' };
    if (nearest === dirname(nearest)) return { nearest, owner: null, problem: 'ENOENT' };
  }
}

function ownerFacts(owner: Owner | null) {
  return owner === null
    ? { uid: null, gid: null, mode: null }
    : { uid: owner.uid, gid: owner.gid, mode: modeOf(owner) };
}

const modeOf = ({ mode }: Owner) => mode.toString(8);

function rightsFix(box: Box, folder: string, owner: Owner | null, setting: string): string {
  const { user } = box;
  if (user === null || owner === null) return `Choose another folder with ${setting}.`;
  const own = `${user.uid}:${user.gid}`;
  const inContainer = containerOf(box) !== null;
  // Nobody should run as root for the sake of a folder.
  const take = !isImage(box) || owner.uid === 0 ? '' : `; PUID=${owner.uid} and PGID=${owner.gid} do as well`;
  const change = `${inContainer ? 'On the machine itself: ' : ''}chown -R ${own} ${folder}`;
  return `It belongs to ${owner.uid}:${owner.gid}, mode ${modeOf(owner)}; Hearth is ${own}. ${change}${take}; or choose another folder with ${setting}.`;
}

function checkConfigFile(box: Box, path: string): Finding {
  const [id, title] = ['folders.config', 'Configuration file'];
  const owner = box.ownerOf(path);
  const facts = { path, ...ownerFacts(owner) };
  const text = box.readFile(path);
  if (text === null) {
    return failure(id, title, `${path} cannot be read`, {
      facts,
      means: 'Hearth does not start.',
      fix: 'Correct --config or HEARTH_CONFIG, or let the user of Hearth read it.',
    });
  }
  // A key that stands in the file itself, and not as the name of a variable.
  const hasSecret = /^\s*(?:- )?(?:api_key|key|hub_token|seal_key)\s*:\s*["']?(?!\$\{)[^\s"'#[{]/m.test(text);
  if (hasSecret && owner !== null && (owner.mode & 0o004) !== 0) {
    return warning(id, title, `${path} has a key in it and everybody on this machine may read it`, {
      facts,
      means: 'Whoever has an account here, or a container with that folder, has the key.',
      fix: `chmod 600 ${path}, or write \${NAME} in place of the key and set that variable.`,
    });
  }
  return ok(id, title, path, { facts });
}

function checkRoom(box: Box, { modelsFolder, dataFolder, reserveBytes }: FolderSettings): Finding[] {
  const data = room(box, dataFolder);
  const models = room(box, modelsFolder);
  const dataText = data === null ? 'not told' : `${fileSize(data.freeBytes)} free`;
  const modelText = models === null ? 'not told' : `${fileSize(models.freeBytes)} free`;
  const findings = [
    data !== null && data.freeBytes < leastDataBytes
      ? warning('disk.data', 'Disk for data', dataText, {
          facts: { ...data },
          means: `Below ${fileSize(leastDataBytes)} prompts are not kept on the disk, and a full disk loses costs and responses.`,
          fix: 'Make room; prefixes/ in the data folder may be deleted while Hearth does not run.',
        })
      : ok('disk.data', 'Disk for data', dataText, { facts: { ...data } }),
    models !== null && models.freeBytes < leastModelBytes + reserveBytes
      ? warning('disk.models', 'Disk for models', modelText, {
          facts: { ...models, reserve_bytes: reserveBytes },
          means: `Pulls leave ${fileSize(reserveBytes)} free (models.pull_reserve), so that hardly a model fits.`,
          fix: `Make room; ${box.sayCommand('list')} has the sizes, ${box.sayCommand('rm MODEL')} deletes one.`,
        })
      : ok('disk.models', 'Disk for models', modelText, { facts: { ...models, reserve_bytes: reserveBytes } }),
  ];
  return findings;
}

function room(box: Box, folder: string) {
  for (let nearest = folder; ; nearest = dirname(nearest)) {
    const disk = box.diskOf(nearest);
    if (disk !== null) return { path: folder, ...disk };
    if (nearest === dirname(nearest)) return null;
  }
}

function checkShare({ dataFolder, hasOwnDatabase }: FolderSettings, share: string | null): Finding {
  const [id, title] = ['folders.share', 'Database'];
  const facts = { path: dataFolder, share };
  if (share === null || hasOwnDatabase) {
    return ok(id, title, hasOwnDatabase ? 'of PostgreSQL (storage.url)' : 'on a disk of this machine', { facts });
  }
  return failure(id, title, `the data folder lies on a network share (${share})`, {
    facts,
    means: 'A database is not safe there, and Hearth does not start.',
    fix: 'Choose a folder on a disk of this machine with --data or HEARTH_DATA; models may stay on the share.',
  });
}
