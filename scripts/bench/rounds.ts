/**
 * Runs the sides of a comparison in turn (A B A B …), so that a machine that gets slower for a while slows all of them.
 * `run` gets the side and the number of the round, from 0. Returns the results by side, in the order of the rounds.
 */
export async function alternate<Side, Result>(
  sides: readonly Side[],
  rounds: number,
  run: (side: Side, round: number) => Promise<Result>,
): Promise<Map<Side, Result[]>> {
  const results = new Map<Side, Result[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) results.get(side)!.push(await run(side, round));
  }
  return results;
}
