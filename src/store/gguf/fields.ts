import { ggufLimits, invalidModelFile } from './limits.ts';
import type { Metadata } from './metadata.ts';

/**
 * Typed, range-checked access to metadata. A missing key gives null, a key of the wrong type or out of range throws
 * `invalid_model_file`: llama.cpp ends the process on some of those.
 */
export function createFields(metadata: Metadata) {
  function integer(key: string, range: { min: number; max: number }): number | null {
    const entry = metadata.get(key);
    if (!entry) return null;
    if (entry.type !== 'integer') throw wrongType(key);
    return inRange(key, entry.value, range);
  }

  return {
    integer,
    text(key: string): string | null {
      const entry = metadata.get(key);
      if (!entry) return null;
      if (entry.type !== 'string') throw wrongType(key);
      return entry.value;
    },
    boolean(key: string): boolean | null {
      const entry = metadata.get(key);
      if (!entry) return null;
      if (entry.type !== 'boolean') throw wrongType(key);
      return entry.value;
    },
    /** One value for all layers, or an array with one value per layer. */
    perLayer(key: string, range: { min: number; max: number }): number | number[] | null {
      const entry = metadata.get(key);
      if (entry?.type !== 'array') return integer(key, range);
      if (!/^[iu]/.test(entry.element)) throw wrongType(key);
      if (entry.count === 0 || entry.count > ggufLimits.blocks || !entry.values) throw outOfRange(key);
      return entry.values.map((value) => inRange(key, value, range));
    },
    /** Number of elements of an array of texts. */
    textCount(key: string): number | null {
      const entry = metadata.get(key);
      if (!entry) return null;
      if (entry.type !== 'array' || entry.element !== 'string') throw wrongType(key);
      return entry.count;
    },
  };
}

export type Fields = ReturnType<typeof createFields>;

function inRange(key: string, value: number, range: { min: number; max: number }): number {
  if (value < range.min || value > range.max) throw outOfRange(key);
  return value;
}

function wrongType(key: string) {
  return invalidModelFile('wrong_type', `The model file has a value of the wrong type for ${printable(key)}.`);
}

function outOfRange(key: string) {
  return invalidModelFile('out_of_range', `The model file has an impossible value for ${printable(key)}.`);
}

/** Keys are built from the file's own architecture name, which has been checked, and constants. */
function printable(key: string): string {
  return key.replace(/[^\x20-\x7e]/g, '?');
}
