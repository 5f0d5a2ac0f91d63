/** `count` numbers of a normal distribution with mean 0 and deviation 1; the same for the same seed. */
export function normalValues(count: number, seed: number): Float32Array<ArrayBuffer> {
  const uniform = uniformNumbers(seed);
  const values = new Float32Array(count);
  for (let index = 0; index < count; index += 2) {
    // Box and Muller: two uniform numbers make two normal ones.
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    values[index] = radius * Math.cos(angle);
    if (index + 1 < count) values[index + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** Numbers above 0 and up to 1: xorshift32 (Marsaglia), whose state never is 0. */
function uniformNumbers(seed: number): () => number {
  let state = (seed >>> 0) | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  // Small seeds differ in few bits only, and it takes some steps until all bits differ.
  for (let step = 0; step < 16; step++) next();
  return next;
}
