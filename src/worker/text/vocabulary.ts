/** Token types of GGUF's `tokenizer.ggml.token_type`. */
const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Raw tokenizer data of a GGUF file. */
interface VocabularyData {
  /** `tokenizer.ggml.model`: `gpt2` (byte-level BPE), `llama` (SentencePiece), others. */
  model: string;
  tokens: readonly string[];
  /** Per token; absent means all normal. */
  types: readonly number[] | null;
}

export interface Vocabulary {
  readonly size: number;
  /** Exact bytes that a token adds to the text; empty for control tokens; null when only the library knows them. */
  bytesOf(token: number): Uint8Array | null;
  /** The text of a control token, or null for any other. */
  controlTextOf(token: number): string | null;
  /** Texts of control tokens (`<|im_start|>`), which user text must never turn into. */
  readonly controlTexts: readonly string[];
  /** Texts of tokens that the model's authors added (`<tool_call>`); they are matched in any text. */
  readonly userDefinedTexts: readonly string[];
}

/**
 * Reads the vocabulary of a model into a table of bytes, so that text can be streamed byte for byte: the library's
 * own detokenizer gives U+FFFD for a token that holds part of a character, and its bytes are lost.
 */
export function createVocabulary(data: VocabularyData): Vocabulary {
  const encoder = new TextEncoder();
  const toBytes = data.model === 'gpt2' ? gpt2Bytes : data.model === 'llama' ? sentencePieceBytes : null;
  const table = new Map<number, Uint8Array>();
  const typeOf = (token: number) => data.types?.[token] ?? tokenType.normal;

  const bytesOf = (token: number): Uint8Array | null => {
    const known = table.get(token);
    if (known) return known;
    const text = data.tokens[token];
    if (text === undefined) return null;
    const type = typeOf(token);
    let bytes: Uint8Array | null;
    if (type === tokenType.control || type === tokenType.unknown || type === tokenType.unused)
      bytes = new Uint8Array(0);
    else if (type === tokenType.userDefined) bytes = encoder.encode(text);
    else bytes = toBytes ? toBytes(text, type === tokenType.byte) : null;
    if (bytes) table.set(token, bytes);
    return bytes;
  };

  const textsOf = (wanted: number) =>
    data.types === null ? [] : data.tokens.filter((_, token) => data.types?.[token] === wanted);
  return {
    size: data.tokens.length,
    bytesOf,
    controlTextOf: (token) => (typeOf(token) === tokenType.control ? (data.tokens[token] ?? null) : null),
    // A one-character text cannot be broken in two, and is no danger as plain text.
    controlTexts: textsOf(tokenType.control).filter((text) => text.length > 1),
    userDefinedTexts: textsOf(tokenType.userDefined).filter((text) => text.length > 1),
  };
}

/** A vocabulary in which the given control tokens are text: those that a family's calls and reasoning are marked with. */
export function showControls(vocabulary: Vocabulary, texts: readonly string[]): Vocabulary {
  const shown = new Set(texts.filter((text) => vocabulary.controlTexts.includes(text)));
  if (shown.size === 0) return vocabulary;
  const encoder = new TextEncoder();
  return {
    ...vocabulary,
    bytesOf(token) {
      const text = vocabulary.controlTextOf(token);
      return text !== null && shown.has(text) ? encoder.encode(text) : vocabulary.bytesOf(token);
    },
  };
}

/**
 * GPT-2's byte alphabet: printable Latin-1 characters stand for their own byte, the other 68 bytes are moved to
 * U+0100 and up, in order. Source: the byte-to-unicode table of the GPT-2 tokenizer.
 */
const gpt2Alphabet: ReadonlyMap<string, number> = (() => {
  const alphabet = new Map<string, number>();
  let moved = 0;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet.set(String.fromCharCode(printable ? byte : 0x100 + moved++), byte);
  }
  return alphabet;
})();

function gpt2Bytes(text: string): Uint8Array | null {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = gpt2Alphabet.get(character);
    // Not written in the alphabet: let the library detokenize it.
    if (byte === undefined) return null;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function sentencePieceBytes(text: string, isByte: boolean): Uint8Array {
  const byte = isByte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(text) : null;
  if (byte) return Uint8Array.of(Number.parseInt(byte[1]!, 16));
  return new TextEncoder().encode(text.replaceAll('\u2581', ' '));
}
