import { afterAll, beforeAll, expect } from 'vitest';
import { cloudConfigOf } from '../../support/cloud-config.ts';
import { cloudProvider } from '../../support/cloud-provider.ts';
import { createHarness, type Harness } from '../harness.ts';

const openai = cloudConfigOf('providers: { openai: { api_key: k } }');

import { type Canary, createCanary } from './canary.ts';
import { batchFile, type Target } from './targets.ts';

export interface Refusal {
  status?: number;
  /** Named in the error, in the words of the dialect. */
  field?: string;
  headers?: Record<string, string>;
}

/** The file that the target of batches names. */
async function keepBatchFile({ files }: Harness): Promise<void> {
  const body = { model: 'tiny', input: 'Hi' };
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/embeddings', body });
  async function* bytes() {
    yield Buffer.from(line);
  }
  const received = await files.receive(bytes());
  await received.keep({ id: batchFile, owner: 'anonymous', name: 'a.jsonl', purpose: 'batch', expiresAfterMs: null });
}

/** A server with a stream of somebody else on it, for the tests of one file. */
export function badInputs() {
  const running: { harness?: Harness; canary?: Canary } = {};
  beforeAll(async () => {
    running.harness = await createHarness(
      { bodyLimitBytes: 3 * 1024 * 1024 },
      {},
      [cloudProvider('openai', [])],
      openai,
    );
    // Also when one of the requests has made a key.
    running.harness.keyring.asksForKey = () => false;
    await keepBatchFile(running.harness);
    running.canary = await createCanary(running.harness);
  });
  afterAll(async () => {
    await running.canary!.release();
    await running.harness!.close();
  });
  const harness = () => running.harness!;

  const send = ({ method, url }: Target, body: unknown, headers?: Record<string, string>) =>
    harness().send(method ?? 'POST', url, body, headers);

  /** Whatever a request can start. */
  const started = () => {
    const { gateway, engine, store } = harness();
    const { calls, wholeCalls, tokensCalls } = gateway;
    const { wishes, removed, imported, makes } = store;
    return [calls, wholeCalls, tokensCalls, engine.loads, wishes, removed, imported, makes].map(({ length }) => length);
  };

  /**
   * Sends a bad request and checks the invariants of every refusal: status, shape and field in the words of the dialect, no
   * path, stack or native text, nothing started, a stream beside it that goes on, little work, counted once.
   */
  async function refused(target: Target, body: unknown, { status = 400, field, headers }: Refusal = {}): Promise<void> {
    const before = started();
    const response = await running.canary!.beside(() => send(target, body, headers));
    expect(response.statusCode, response.body).toBe(status);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    target.errors.check(response.json(), field ?? null);
    expect(response.body.length).toBeLessThan(4_000);
    expect(response.body).not.toMatch(/node_modules|\bat \S+:\d+:\d+|FST_ERR|ZodError|\/models\/tiny/);
    expect(started()).toEqual(before);
  }

  return { harness, send, refused };
}
