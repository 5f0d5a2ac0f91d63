import { expect, it } from 'vitest';
import { readProcessorCelsius } from '../../src/machine/temperature.ts';
import { sysTree } from '../support/sys-tree.ts';

it.each([
  [
    'a PC with a disk that is hotter',
    {
      'hwmon/hwmon0/name': 'nvme',
      'hwmon/hwmon0/temp1_input': '71850',
      'hwmon/hwmon1/name': 'coretemp',
      'hwmon/hwmon1/temp1_input': '52000',
      'hwmon/hwmon1/temp2_input': '54000',
      'hwmon/hwmon1/temp2_max': '80000',
      'thermal/thermal_zone0/type': 'acpitz',
      'thermal/thermal_zone0/temp': '99000',
      'thermal/thermal_zone1/type': 'x86_pkg_temp',
      'thermal/thermal_zone1/temp': '53000',
      'thermal/cooling_device0/type': 'Processor',
    },
    54,
  ],
  ['a processor of AMD', { 'hwmon/hwmon0/name': 'k10temp', 'hwmon/hwmon0/temp1_input': '61250' }, 61.25],
  [
    'a board with one chip',
    { 'thermal/thermal_zone0/type': 'cpu-thermal', 'thermal/thermal_zone0/temp': '48312' },
    48.312,
  ],
  [
    'a NAS that only has a zone of its board',
    { 'thermal/thermal_zone0/type': 'acpitz', 'thermal/thermal_zone0/temp': '45000' },
    45,
  ],
  [
    'sensors that are not wired',
    {
      'thermal/thermal_zone0/type': 'x86_pkg_temp',
      'thermal/thermal_zone0/temp': '-128000',
      'hwmon/hwmon0/name': 'coretemp',
      'hwmon/hwmon0/temp1_input': '127000',
      'hwmon/hwmon0/temp2_input': 'nonsense',
    },
    null,
  ],
  ['a disk alone', { 'hwmon/hwmon0/name': 'drivetemp', 'hwmon/hwmon0/temp1_input': '41000' }, null],
  ['a virtual machine', {}, null],
])('of %s', async (_name, files, celsius) => {
  await using tree = await sysTree(files);
  expect(await readProcessorCelsius(tree.folder)).toBe(celsius);
});
