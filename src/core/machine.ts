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
