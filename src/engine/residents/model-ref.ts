import type { GpuWish } from '../../machine/gpu/device.ts';
import type { GgufFacts } from '../../store/gguf/gguf.ts';

/** A model variant to load, as the catalogue knows it. */
export interface ModelRef {
  /** Key of the resident: `name:quantization`. */
  id: string;
  /** Name for events, logs and metric labels. */
  model: string;
  filePath: string;
  facts: GgufFacts;
}

/** Settings of a load. */
export interface LoadSettings {
  contextTokens?: number;
  slots?: number;
  gpu: GpuWish;
  keepAliveMs: number;
  /** Neither idle time nor another load ends a pinned model; left out: as it is, at first not. */
  pin?: boolean;
  /** Why this variant was chosen; shown with the plan's own notes. */
  notes?: string[];
}
