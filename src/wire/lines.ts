/** A line of a file. */
export interface FileLine {
  /** From 1 on. */
  number: number;
  /** Without its end; null: it is longer than any may be. */
  bytes: Uint8Array | null;
}

const [lineFeed, carriageReturn] = [0x0a, 0x0d];

/** The lines of a file as its bytes come, those without any letter left out. No more of it is held than one line. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>, maxLineBytes: number): AsyncGenerator<FileLine> {
  let number = 0;
  let pieces: Uint8Array[] = [];
  let heldBytes = 0;
  const hold = (piece: Uint8Array) => {
    heldBytes += piece.length;
    // What is too long is not held either.
    if (heldBytes <= maxLineBytes) pieces.push(piece);
    else pieces = [];
  };
  const take = (): FileLine | null => {
    const isLong = heldBytes > maxLineBytes;
    const line = Buffer.concat(pieces);
    [pieces, heldBytes] = [[], 0];
    number++;
    if (isLong) return { number, bytes: null };
    return isBlank(line) ? null : { number, bytes: line.at(-1) === carriageReturn ? line.subarray(0, -1) : line };
  };
  for await (const piece of bytes) {
    let from = 0;
    for (let end = piece.indexOf(lineFeed); end !== -1; end = piece.indexOf(lineFeed, from)) {
      hold(piece.subarray(from, end));
      const line = take();
      if (line) yield line;
      from = end + 1;
    }
    hold(piece.subarray(from));
  }
  const last = take();
  if (last) yield last;
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === carriageReturn);
}
