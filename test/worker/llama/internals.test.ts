import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getModuleVersion, LlamaContext, LlamaContextSequence } from 'node-llama-cpp';
import { describe, expect, it } from 'vitest';
import { acceptsSeveralGuesses, findEvaluateOnly, findStateCopy } from '../../../src/worker/llama/internals.ts';
import { sourceFiles, withoutComments } from '../../support/imports.ts';
import { repositoryRoot } from '../../support/server.ts';

/** The source of a method or getter of the library's sequences. */
function sourceOf(member: string): string {
  const { value, get } = Object.getOwnPropertyDescriptor(LlamaContextSequence.prototype, member) ?? {};
  return String(value ?? get);
}

/** A sequence without a context: enough to look for what it has. */
const bareSequence = (): LlamaContextSequence => Object.create(LlamaContextSequence.prototype);

// A red test here says which part of the library has moved, before an answer or a number is wrong because of it.
describe('the private parts of node-llama-cpp', () => {
  it('were looked at in the release that is installed; with another one, go through the list in the README', async () => {
    expect(await getModuleVersion()).toBe('3.22.1');
  });

  it('carry the patch in patches/, or every step would accept one guess at most', () => {
    expect(acceptsSeveralGuesses()).toBe(true);
  });

  it('have an evaluation without sampling, with the arguments that a measured step gives', () => {
    expect(findEvaluateOnly(bareSequence())).not.toBeNull();
    expect(sourceOf('_decodeTokens')).toMatch(
      /^async _decodeTokens\(tokens, logits, evaluationPriority, tokenMeter, contextShiftOptions, logitDataMapper\b/,
    );
  });

  it('have a copy between sequences, with the arguments that a follower gives', () => {
    expect(findStateCopy(bareSequence())).not.toBeNull();
    expect(sourceOf('_copyStateFromOtherSequence')).toMatch(
      /^async _copyStateFromOtherSequence\(otherSequence, upToTokenIndex\)/,
    );
  });

  it('ask the context for the first cell before a cut, by the method that is covered meanwhile', () => {
    const asks = 'this._context._ctx.getSequenceKvCacheMinPosition(this._sequenceId)';
    expect(sourceOf('stateCellsStartIndex')).toContain(asks);
    expect(sourceOf('_eraseContextTokenRanges')).toContain(asks);
  });

  it('clone the state of a grammar once before the guesses of a step and once for the tokens behind the first', () => {
    const clones = sourceOf('_speculativeEvaluate').match(/grammarEvaluationState\(?\)?\??\.clone\(\)/gi);
    expect(clones).toHaveLength(5);
  });

  it('choose a token by the call that is watched, and fail the one evaluation that has none', () => {
    for (const member of ['_evaluate', '_speculativeEvaluate']) {
      expect(sourceOf(member)).toMatch(/this\._context\._ctx\.sampleToken\(batchLogitIndex, sampler\._sampler\)/);
      expect(sourceOf(member)).toMatch(/=== -1\)\s*throw new Error\("Failed to sample next token"\)/);
    }
  });

  it('have what a step needs that goes past the library, and move a sequence on as it does', () => {
    const decode = sourceOf('_decodeTokens');
    expect(decode).toContain('this._nextTokenIndex += tokensToDecode.length;');
    expect(decode).toContain('this._contextTokens = this._contextTokens.concat(tokensToDecode);');
    expect(sourceOf('_resolveSamplerConfig')).toMatch(
      /dryRepeatPenaltySequenceBreakers: .*[\s\S]*grammarEvaluationState/,
    );
    const context = String(Reflect.get(LlamaContext.prototype, '_decodeTokens'));
    expect(context).toMatch(
      /^async _decodeTokens\(\{ sequenceId, firstTokenSequenceIndex, tokens, logits, evaluationPriority = \w+, tokenMeter, afterBatchAction \}, logitDataMapper\)/,
    );
    const dispatch = String(Reflect.get(LlamaContext.prototype, 'dispatchPendingBatch'));
    for (const call of ['initBatch(', 'addToBatch(', 'setThreads(', 'decodeBatch()']) {
      expect(dispatch).toContain(`this._ctx.${call}`);
    }
  });

  it('are named in two files of the worker', () => {
    const folder = join(repositoryRoot, 'src/worker');
    const naming = sourceFiles(folder).filter((file) =>
      /[.'[]_[a-z]/.test(withoutComments(readFileSync(join(folder, file), 'utf8'))),
    );
    expect(naming.toSorted()).toEqual(['llama/internals-step.ts', 'llama/internals.ts']);
  });
});
