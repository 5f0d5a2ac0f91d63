/** Bytes and durations for people. Nobody else writes units into a text; `parse-units.ts` reads them. */

const units = ['B', 'KB', 'MB', 'GB', 'TB'];

/** As the native dialect writes bytes: `4.2GB`, `8GB`, `512MB`. A unit is 1024 of the one before. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  // One decimal, and none where it would be zero.
  return `${Number(value.toFixed(unit === 0 ? 0 : 1))}${units[unit]}`;
}

/** Bytes of files, as disks and lines are sold: `4.8 GB`, `312 MB`, `7 kB`. */
export function fileSize(bytes: number): string {
  if (bytes >= 1e9) return gigabytes(bytes);
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

/** Memory that something needs, in decimal units and never less than it is: `4.8 GB`, `313 MB`. */
export function memorySize(bytes: number): string {
  return bytes >= 1e9 ? gigabytes(bytes) : `${Math.ceil(bytes / 1e6)} MB`;
}

/** `0.3 GB`: for sentences that compare two amounts. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** `5.8 GiB`. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** `215.5 MiB`: for tables, whose rows are compared. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** A time that is left, rounded up: `42 s`, `10 min`, `2 h 5 min`. */
export function timeLeft(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.ceil(whole / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
