import { z } from 'zod';

/** How fast something reads prompts and writes answers, in tokens per second. Only figures of one measurement compare. */
export interface Pace {
  prompt: number;
  decode: number;
}

/** How often as fast as before something is. */
export interface PaceGain extends Pace {
  /** Whether the figures were measured on this machine; else on another one that runs the same kernels. */
  isMeasuredHere: boolean;
}

/** What a model's products are made with: the weights of each type, in numbers or in shares. Types as GGUF calls them. */
export type WeightMix = Readonly<Record<string, number>>;

/** One quantization of a model, as far as its speed and quality are told by it. */
export interface QuantizationCandidate {
  /** Lower-case label. */
  quantization: string;
  /** Of all its files. */
  sizeBytes: number;
  /** Null: its types are not known, and nothing can be said of it. */
  weights: WeightMix | null;
  /** Of this very file on this machine; null: it was not measured. */
  measured: Pace | null;
}

/** Another quantization of about the same size that is faster on this processor. */
export const quantizationAdvice = z.object({
  quantization: z.string().meta({ description: 'The faster one.' }),
  instead: z.string().meta({ description: 'The one that it is compared with.' }),
  promptRatio: z.number().meta({ description: 'How often as fast it reads prompts.' }),
  decodeRatio: z.number().meta({ description: 'How often as fast it writes answers.' }),
  measuredHere: z
    .boolean()
    .meta({ description: 'Measured on this machine; else on another one that runs the same kernels.' }),
  message: z.string().meta({
    description: 'Without a full stop; where something can be done about it, with the command.',
    examples: ["Q4_K_M reads prompts at 0.5 of Q4_0's speed on this processor: hearth pull qwen2.5-0.5b:Q4_0"],
  }),
});

export type QuantizationAdvice = z.output<typeof quantizationAdvice>;

/** The same, with what one does about it: `hearth pull qwen2.5-0.5b:Q4_0`. */
export function withCommand(advice: QuantizationAdvice, command: string): QuantizationAdvice {
  return { ...advice, message: `${advice.message}: ${command}` };
}

/**
 * Which of `others` is better than `chosen` on the processor of this machine, at about the same size; null: none, or nothing
 * was measured that could tell.
 */
export type AdviseQuantization = (
  chosen: QuantizationCandidate,
  others: readonly QuantizationCandidate[],
) => QuantizationAdvice | null;
