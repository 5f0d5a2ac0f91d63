import type { KvType } from '../../core/plan.ts';
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
  /** How keys and values are kept; left out: as the plan has it. */
  kvType?: KvType;
  gpu: GpuWish;
  keepAliveMs: number;
  /** Neither idle time nor another load ends a pinned model; left out: as it is, at first not. */
  pin?: boolean;
  /** Also where it does not fit. */
  force?: boolean;
  /** Nobody waits for it: models that people use do not go for it. */
  isBackground?: boolean;
  /**
   * It was loaded before a restart. Nobody waits for it now: it takes memory as what is in the background does, and goes as what
   * people use. It was last used at `usedAtMs` and is kept until `keepUntilMs`, by the monotonic clock: a load may take long.
   */
  restored?: { usedAtMs: number; keepUntilMs: number };
  /** Why this variant was chosen; shown with the plan's own notes. */
  notes?: string[];
}
