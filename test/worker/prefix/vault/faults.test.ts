import { describe, expect, it } from 'vitest';
import {
  type Bench,
  createBench,
  faultyFiles,
  holds,
  load,
  quickFiles,
  range,
  stateOf,
  writeState,
} from './support.ts';

/** Four states of which the cap takes three; the first stands there before the fault. */
const lists = [range(0, 10), range(100, 10), range(200, 10), range(300, 10)];
const capBytes = 4000;

type Plan = Parameters<typeof faultyFiles>[0];

/**
 * Opens a vault that holds one state, saves three more (the last evicts one), pins one and loads one, with a fault at
 * one step. Returns the number of steps that were tried, and which of the saves said that they stored.
 */
async function runWithFault(bench: Bench, plan: Plan): Promise<{ steps: number; stored: boolean[] }> {
  const before = await bench.open({ capBytes, files: quickFiles });
  await before.save(lists[0]!, 2000, 'a', false, writeState(lists[0]!));
  const faulty = faultyFiles(plan);
  const vault = await bench.open({ capBytes, files: faulty.files });
  const stored: boolean[] = [];
  for (const [index, tokens] of lists.entries()) {
    if (index === 0) continue;
    stored.push(await vault.save(tokens, 3000 * index, 'a', false, faulty.writeState(tokens)));
  }
  await vault.save(lists[3]!, 9000, 'a', true, faulty.writeState(lists[3]!));
  const found = vault.find([...lists[2]!, 1], 'a');
  if (found) await load(vault, found.id);
  await vault.close();
  return { steps: faulty.steps(), stored };
}

/** A fresh start finds only whole entries, each with its own state, below the cap, and no other file. */
async function expectOnlyWhole(bench: Bench): Promise<number> {
  const vault = await bench.open({ capBytes });
  const entries = await bench.entries();
  expect(await bench.bytes()).toBeLessThanOrEqual(capBytes);
  expect((await bench.list()).length).toBe(entries * 2);
  let whole = 0;
  for (const tokens of lists) {
    if (!holds(vault, tokens)) continue;
    whole++;
    expect(await load(vault, vault.find([...tokens, 1], 'a')!.id)).toBe(stateOf(tokens));
  }
  expect(whole).toBe(entries);
  return entries;
}

async function countSteps(): Promise<number> {
  await using bench = await createBench();
  const { steps, stored } = await runWithFault(bench, { at: 0, mode: 'once', half: false });
  expect(stored).toEqual([true, true, true]);
  return steps;
}

describe('a vault whose disk fails', async () => {
  const steps = await countSteps();

  it('takes enough steps for the sweep to mean something, and evicts in it', async () => {
    await using bench = await createBench();
    await runWithFault(bench, { at: 0, mode: 'once', half: false });
    expect(bench.lines).toEqual([]);
    expect(steps).toBeGreaterThan(35);
    expect(await expectOnlyWhole(bench)).toBe(3);
  });

  it.each([
    { half: false, how: 'before the step is done' },
    { half: true, how: 'after it is done, or half of it' },
  ])('once, $how, keeps what is whole and goes on, whichever step it is', async ({ half }) => {
    for (let at = 1; at <= steps; at++) {
      await using bench = await createBench();
      const { stored } = await runWithFault(bench, { at, mode: 'once', half });
      // One fault costs at most one save.
      expect(stored.filter((ok) => !ok).length, `step ${at}`).toBeLessThanOrEqual(1);
      await expectOnlyWhole(bench);
    }
  });

  it.each([
    { half: false, how: 'before a step' },
    { half: true, how: 'in the middle of a step' },
  ])('for good, or is killed, $how, leaves only whole entries, whichever step it is', async ({ half }) => {
    let most = 0;
    for (let at = 1; at <= steps; at++) {
      await using bench = await createBench();
      await runWithFault(bench, { at, mode: 'always', half });
      most = Math.max(most, await expectOnlyWhole(bench));
    }
    expect(most).toBe(3);
  });

  it('does not list a save that reported a failure, and does list one that reported success', async () => {
    for (let at = 1; at <= steps; at++) {
      await using bench = await createBench();
      const faulty = faultyFiles({ at, mode: 'once', half: false });
      const vault = await bench.open({ files: faulty.files });
      const stored = await vault.save(lists[0]!, 5000, 'a', false, faulty.writeState(lists[0]!));
      expect(holds(vault, lists[0]!)).toBe(stored);
      expect(holds(await bench.open(), lists[0]!), `step ${at}`).toBe(stored);
      if (at > faulty.steps()) return;
    }
    expect.unreachable('a save takes fewer steps than all of them');
  });
});
