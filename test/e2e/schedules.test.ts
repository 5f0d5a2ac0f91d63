import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { promptTokensOf } from '../../src/core/usage.ts';
import { type ColdAnswer, coldAnswers } from '../support/cold-answers.ts';
import { type RealWorker, startRealWorker } from '../support/real-worker.ts';
import { scheduleCases } from '../support/schedule-cases.ts';
import { type Arrival, comparable, hasAllSlots, type Load, play, schedules } from '../support/schedules.ts';

const requests = scheduleCases.map(({ request }) => request);
/** A longer run looks for what is rare. */
const scheduleCount = Number(process.env['HEARTH_TEST_SCHEDULES'] ?? 6);
/** Comes twice in the first load of every schedule, so that its state is kept for the next one. */
const keptArrival: Arrival = {
  index: scheduleCases.findIndex(({ name }) => name === 'What is prefill? after system prompt 1'),
  copies: 2,
  afterTokens: 0,
  leavesAfter: null,
  isSampled: false,
  owner: null,
  promptCache: 'keep',
};

describe('greedy answers of the built-in model', () => {
  const cold: ColdAnswer[] = [];
  beforeAll(async () => {
    const reference = await coldAnswers();
    for (const request of requests) cold.push(await reference.ask(request));
    await reference.stop();
  });

  it('are decided without a close call for nearly every conversation of the schedules', () => {
    const close = scheduleCases.filter((_, index) => !cold[index]!.isFirm).map(({ name }) => name);
    // Otherwise the comparison below would say little.
    expect(close.length, close.join('; ')).toBeLessThanOrEqual(requests.length / 8);
    const prompts = cold.map(({ answer }) => promptTokensOf(answer.usage)!);
    expect(Math.min(...prompts)).toBeLessThanOrEqual(10);
    expect(Math.max(...prompts)).toBeGreaterThanOrEqual(600);
    expect(cold.filter(({ answer }) => answer.reason === 'tool_calls').length).toBeGreaterThanOrEqual(2);
  });

  it('are those of a cold single slot, whatever the schedule, the slots and the way over the disk', async () => {
    let reused = 0;
    let restored = 0;
    let guessed = 0;
    await fc.assert(
      fc.asyncProperty(schedules(requests.length), async (loads) => {
        const vaultFolder = await mkdtemp(join(tmpdir(), 'hearth-schedules-'));
        try {
          for (const [turn, load] of loads.entries()) {
            const worker = await startRealWorker({ slots: load.slots, vaultFolder, drafts: true });
            try {
              // Before anything else was asked, only the disk can hold a part of a prompt.
              if (turn === 1)
                restored += await playAndCompare(worker, { ...load, arrivals: [{ ...keptArrival, copies: 1 }] });
              reused += await playAndCompare(
                worker,
                turn === 0 ? { ...load, arrivals: [keptArrival, ...load.arrivals] } : load,
              );
              for (const { drafts } of worker.reports) guessed += drafts.accepted;
            } finally {
              await worker.stop();
            }
          }
        } finally {
          await rm(vaultFolder, { recursive: true, force: true });
        }
      }),
      // A smaller schedule takes as long as this one: the first failure is reported as it is, with its seed.
      { numRuns: scheduleCount, endOnFailure: true },
    );
    // The schedules did what they are for.
    expect(reused).toBeGreaterThan(1_000);
    expect(restored).toBeGreaterThan(300);
    expect(guessed).toBeGreaterThan(0);
    // Not a limit of its own: it only ends a run that hangs.
  }, 900_000);

  /** Returns how many prompt tokens were not evaluated because their state was there. */
  async function playAndCompare(worker: RealWorker, load: Load): Promise<number> {
    const stepsBefore = worker.reports.length;
    const { answers, left } = await play(worker, load, requests);
    const reports = worker.reports.slice(stepsBefore);
    let unread = 0;
    let reused = 0;
    for (const { arrival, answer } of answers) {
      const { name } = scheduleCases[arrival.index]!;
      if (!arrival.isSampled) {
        const pair = comparable(answer, cold[arrival.index]!);
        expect(pair.warm, name).toEqual(pair.cold);
      }
      const promptTokens = promptTokensOf(answer.usage);
      const cachedPromptTokens = answer.usage.cacheReadTokens;
      expect(cachedPromptTokens, name).toBeGreaterThanOrEqual(0);
      expect(cachedPromptTokens, name).toBeLessThan(promptTokens!);
      unread += promptTokens! - cachedPromptTokens!;
      reused += cachedPromptTokens!;
    }
    // What does not count as cached was evaluated, token for token; those who left had part of theirs evaluated.
    const evaluated = reports.reduce((sum, report) => sum + report.promptTokens, 0);
    expect(evaluated).toBeGreaterThanOrEqual(unread);
    if (left === 0) expect(evaluated).toBe(unread);
    expect(Math.max(...reports.map(({ sequences }) => sequences))).toBeLessThanOrEqual(load.slots);
    expect(await hasAllSlots(worker, load.slots, requests[0]!)).toBe(true);
    return reused;
  }
});
