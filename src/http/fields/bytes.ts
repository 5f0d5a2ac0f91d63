const units = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Bytes for people, as the native dialect writes them: `4.2GB`, `8GB`, `512MB`. A unit is 1024 of the one before. */
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
