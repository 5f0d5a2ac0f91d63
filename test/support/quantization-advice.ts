import type { AdviseQuantization } from '../../src/core/quantization-advice.ts';

/** A processor that is faster with `q4_0` than with anything else, whatever its size. */
export const prefersQ40: AdviseQuantization = (chosen, others) => {
  const best = others.find(({ quantization }) => quantization === 'q4_0');
  if (!best || chosen.quantization === 'q4_0') return null;
  return {
    quantization: 'q4_0',
    instead: chosen.quantization,
    promptRatio: 2,
    decodeRatio: 1.5,
    measuredHere: false,
    message: 'Q4_0 is faster',
  };
};
