import type { PowerState } from '../core/machine.ts';
import { type SysDevice, sysDevices } from './sys-class.ts';

const lowPercent = 10;

/**
 * Where this machine has its power from, by its own batteries: of a notebook, or a UPS that the kernel knows. Null: it has none.
 * `folder`: `/sys/class/power_supply`.
 */
export async function readPower(folder: string): Promise<PowerState | null> {
  const supplies = await Promise.all((await sysDevices(folder)).map(readSupply));
  const batteries = supplies.filter(({ kind, isPeripheral }) => /^(Battery|UPS)$/.test(kind) && !isPeripheral);
  if (batteries.length === 0) return null;
  const onMains = supplies.some(({ kind, isOnline }) => !/^(Battery|UPS)$/.test(kind) && isOnline);
  const discharging = batteries.filter(({ status }) => status === 'Discharging');
  // One that takes more than its adapter gives, or is kept from being full, discharges too.
  if (onMains || discharging.length === 0) return 'mains';
  return discharging.every(({ isLow }) => isLow) ? 'low' : 'battery';
}

async function readSupply(device: SysDevice) {
  const [kind, scope, online, status, capacity, level] = await Promise.all(
    ['type', 'scope', 'online', 'status', 'capacity', 'capacity_level'].map((file) => device.read(file)),
  );
  return {
    kind: kind ?? '',
    /** Of a mouse or a headset. */
    isPeripheral: scope === 'Device',
    isOnline: online !== null && online !== undefined && online !== '0',
    status,
    isLow: /^(Low|Critical)$/.test(level ?? '') || (/^\d+$/.test(capacity ?? '') && Number(capacity) <= lowPercent),
  };
}
