import { expect, it } from 'vitest';
import { readPower } from '../../src/machine/power.ts';
import { sysTree } from '../support/sys-tree.ts';

const battery = (status: string, capacity: string) => ({
  'BAT0/type': 'Battery',
  'BAT0/status': status,
  'BAT0/capacity': capacity,
});
const adapter = (online: string) => ({ 'AC/type': 'Mains', 'AC/online': online });

it.each([
  ['a notebook at its adapter', { ...adapter('1'), ...battery('Charging', '64') }, 'mains'],
  ['a notebook without', { ...adapter('0'), ...battery('Discharging', '64') }, 'battery'],
  ['one that is nearly empty', { ...adapter('0'), ...battery('Discharging', '10') }, 'low'],
  ['one that says so in words', { ...battery('Discharging', '30'), 'BAT0/capacity_level': 'Critical' }, 'low'],
  ['one that needs more than its adapter gives', { ...adapter('1'), ...battery('Discharging', '8') }, 'mains'],
  ['one that is full', battery('Full', '100'), 'mains'],
  [
    'one with a second battery',
    { ...battery('Discharging', '4'), 'BAT1/type': 'Battery', 'BAT1/status': 'Discharging', 'BAT1/capacity': '70' },
    'battery',
  ],
  ['a UPS that the kernel knows', { 'ups/type': 'UPS', 'ups/status': 'Discharging', 'ups/capacity': '90' }, 'battery'],
  [
    'a machine with a mouse',
    { 'hidpp_battery_0/type': 'Battery', 'hidpp_battery_0/scope': 'Device', 'hidpp_battery_0/status': 'Discharging' },
    null,
  ],
  ['a machine without batteries', adapter('1'), null],
])('of %s', async (_name, files, state) => {
  await using tree = await sysTree(files);
  expect(await readPower(tree.folder)).toBe(state);
  expect(await readPower(`${tree.folder}/nowhere`)).toBeNull();
});
