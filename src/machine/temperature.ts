import { join } from 'node:path';
import { type SysDevice, sysDevices } from './sys-class.ts';

/** Names of sensors that are in a processor, or beside it on one chip. Disks, radios and batteries have other limits. */
const processorNames = /^(x86_pkg_temp|coretemp|k\d+temp|zenpower|fam15h_power|via_cputemp)$|cpu|soc|core|package/i;

/**
 * How hot the processor is, in degrees Celsius: the hottest of its sensors, else of the zones of the board. Null: the machine
 * does not tell, as in most virtual ones. `folder`: `/sys/class`.
 */
export async function readProcessorCelsius(folder: string): Promise<number | null> {
  const [zones, chips] = await Promise.all([
    sysDevices(join(folder, 'thermal')).then((devices) => Promise.all(devices.map(ofZone))),
    sysDevices(join(folder, 'hwmon')).then((devices) => Promise.all(devices.map(ofChip))),
  ]);
  const all = [...zones, ...chips].flatMap((sensor) => sensor ?? []);
  const inProcessor = all.filter(({ name }) => processorNames.test(name));
  // A zone may be anything, and still be all there is; a chip that is none of the processor's may be a disk.
  const counted = inProcessor.length > 0 ? inProcessor : zones.flatMap((sensor) => sensor ?? []);
  const celsius = counted.flatMap((sensor) => sensor.celsius);
  return celsius.length === 0 ? null : Math.max(...celsius);
}

interface Sensor {
  name: string;
  celsius: number[];
}

async function ofZone(device: SysDevice): Promise<Sensor | null> {
  if (!device.name.startsWith('thermal_zone')) return null;
  const [name, text] = await Promise.all([device.read('type'), device.read('temp')]);
  return { name: name ?? '', celsius: celsiusOf(text) };
}

async function ofChip(device: SysDevice): Promise<Sensor> {
  const [name, files] = await Promise.all([device.read('name'), device.list()]);
  const inputs = files.filter((file) => /^temp\d+_input$/.test(file));
  const texts = await Promise.all(inputs.map((file) => device.read(file)));
  return { name: name ?? '', celsius: texts.flatMap(celsiusOf) };
}

/** Of thousandths of a degree. Sensors that are switched off or not wired tell what no machine has. */
function celsiusOf(text: string | null): number[] {
  const celsius = /^-?\d+$/.test(text ?? '') ? Number(text) / 1_000 : Number.NaN;
  return celsius > 0 && celsius < 125 ? [celsius] : [];
}
