/** Texts, or token ids in their place, that become one vector each. `model` is a name or alias as the client gave it. */
export interface EmbeddingRequest {
  model: string;
  /** In the order of the vectors wanted. Token ids may come with or without the model's own frame ([CLS], [SEP]). */
  inputs: (string | number[])[];
  /**
   * Length that the vectors must have. Longer ones are cut and are of length 1 again, where the model was made for it; any
   * other model is refused. Absent: whatever the model makes.
   */
  dimensions?: number;
  /** Whether an input that is longer than the model reads at once loses its end; left out: it is refused. */
  truncate?: boolean;
  /** How long the model stays loaded after this request, in milliseconds; Infinity: for ever; absent: as configured. */
  keepAliveMs?: number;
}

export interface EmbeddingResult {
  /** The model's own name, whatever name it was asked by. */
  model: string;
  /** One per input: of length 1, every value exactly a 32-bit float. */
  vectors: number[][];
  /** Tokens of all inputs, the model's own frame included. */
  promptTokens: number;
  /** Time until a slot was free, in milliseconds; null: the provider does not tell. */
  queueMs: number | null;
}

/** Documents to be rated by how well they answer a query. `model` is a name or alias as the client gave it. */
export interface RankRequest {
  model: string;
  query: string;
  documents: string[];
  /** As in `EmbeddingRequest`. */
  keepAliveMs?: number;
}

export interface RankResult {
  /** The model's own name, whatever name it was asked by. */
  model: string;
  /** One per document, in their order: 0 (does not answer) to 1. */
  scores: number[];
  /** Tokens of all pairs of query and document. */
  promptTokens: number;
  /** As in `EmbeddingResult`. */
  queueMs: number | null;
}

/** A vector as base64 of little-endian 32-bit floats: OpenAI's compact form, and a quarter of the text of numbers. */
export function packVector(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}

/** Reads what `packVector` wrote. */
export function unpackVector(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}
