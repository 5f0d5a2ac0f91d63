import type { TextLogits } from '../../scripts/kernels/engine-trial.ts';

/** About 300 tokens of everyday English, the same for ever: what is said about logits is said about this. */
export const householdText = `A kitchen is a good place to learn patience. Bread needs an hour before it rises, and nobody who looks into \
the bowl every five minutes makes it rise sooner. My grandmother put the dough beside the stove, laid a cloth over it and went out to feed the \
hens. When she came back it had doubled, and she pressed it down with both hands as if she wanted to wake somebody who was still asleep.

The oven was older than she was. It had no dial, only a small iron door, and she held her palm in front of it and counted. If she could count to \
ten, it was ready for bread; if she could not get beyond five, it was good for flat cakes with onions and cheese. I asked her once how she knew \
that. She said that her mother had burned the first loaf of every week for a year, and that somebody has to pay for what the others know.

In winter the windows were white from the inside. We drew ships into the frost with our fingers: first the hull, then two masts, then sails that \
were always too large. The ships lasted until the bread was done. By then the room was so warm that they ran down the glass, one after the other, \
and on the sill there was a row of small lakes. My brother said that all of them had reached the harbour. I was not so sure, but I took the heel \
of the loaf, which is the best part, and did not argue.
`;

/** How far one prediction of the same tokens lies from another. */
export interface LogitsDistance {
  /** Kullback-Leibler divergence, mean of all tokens, in nats: what is lost by predicting with the second. */
  divergence: number;
  rootMeanSquare: number;
  /** Share of tokens behind which both find the same token likeliest. */
  sameFirst: number;
  /** By how much the logarithms of the perplexities differ. */
  logPerplexity: number;
}

/** Compares the logits of one text, of two kernels or of two ways to read it. */
export function logitsDistance(left: TextLogits, right: TextLogits): LogitsDistance {
  const { tokens, vocabulary } = left;
  let [squares, divergence, same] = [0, 0, 0];
  for (let from = 0; from < tokens * vocabulary; from += vocabulary) {
    const [p, q] = [left, right].map(({ logits }) => logits.subarray(from, from + vocabulary)) as [
      Float32Array,
      Float32Array,
    ];
    const [before, after] = [summed(p), summed(q)];
    for (let token = 0; token < vocabulary; token++) {
      const difference = p[token]! - q[token]!;
      squares += difference ** 2;
      divergence += Math.exp(p[token]! - before.logSum) * (difference - before.logSum + after.logSum);
    }
    if (before.first === after.first) same++;
  }
  return {
    divergence: divergence / tokens,
    rootMeanSquare: Math.sqrt(squares / (tokens * vocabulary)),
    sameFirst: same / tokens,
    logPerplexity: Math.log(right.perplexity / left.perplexity),
  };
}

/** The likeliest token, and the logarithm of the sum of all likelihoods. */
function summed(row: Float32Array): { first: number; logSum: number } {
  const first = row.reduce((best, value, token) => (value > row[best]! ? token : best), 0);
  const sum = row.reduce((all, value) => all + Math.exp(value - row[first]!), 0);
  return { first, logSum: row[first]! + Math.log(sum) };
}
