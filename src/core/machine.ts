/** What a machine is made of, as far as it says so; null where it does not. Holds no serial numbers and no addresses. */
export interface MachineInventory {
  processor: {
    name: string;
    physicalCores: number | null;
    logicalCores: number | null;
    /** Speeds that the processor names, not those of this moment. */
    baseGhz: number | null;
    maxGhz: number | null;
    l2CacheBytes: number | null;
    l3CacheBytes: number | null;
  } | null;
  board: { vendor: string | null; model: string } | null;
  /** Whole disks, without partitions. Null: unknown; empty: none are seen from here. */
  disks:
    | {
        /** As the system calls it: `sda`, `nvme0n1`. */
        name: string;
        model: string | null;
        kind: 'hdd' | 'ssd' | null;
        sizeBytes: number;
        isRemovable: boolean;
      }[]
    | null;
  temperatures: { processorCelsius: number; hottestCoreCelsius: number | null } | null;
}

/** The library's code for this kind of processor, of which it brings one for each generation. */
export interface CpuKernels {
  /** The generation that it was made for: `haswell`, `armv8.2_1`. */
  name: string;
  /** Whether it was built here, with our patches. */
  isBuiltHere: boolean;
}

/** Where a machine has its power from. `low`: from a battery that is nearly empty. */
export type PowerState = 'mains' | 'battery' | 'low';

/** A UPS at a server of Network UPS Tools. */
export interface UpsAddress {
  host: string;
  port: number;
  name: string;
}
