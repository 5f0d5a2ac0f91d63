import type { LightMyRequestResponse } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PinnedApi, recordedTypes } from '../support/pinned-types.ts';
import { createHarness, type Harness } from './harness.ts';

type Fields = Record<string, unknown>;

/** A value of a type of the pinned client, and where it stands in a request. */
export interface Example {
  /** All keys that such a value can have beside the refused ones, so that the request is answered. */
  value: Fields;
  /** The body of a request with a value of this type. */
  at: (value: Fields) => object;
  /** Keys for which a request is refused, each with such a value. */
  refused?: Fields;
  /** Other values of keys that cannot be left out; a text gets another one by itself. */
  others?: Fields;
  /** Keys whose effect is not in the request to the provider: where it is tested, or why there is none. */
  elsewhere?: Record<string, string>;
  /** Where it is sent, if not to the endpoint of the matrix, and how, if not by POST. */
  url?: string;
  method?: string;
}

export interface FieldMatrix {
  api: PinnedApi;
  url: string;
  headers?: Record<string, string>;
  /** By the name of the type. */
  examples: Record<string, Example | Example[]>;
  /** Types that are nobody's example, by the pattern of their names: with what they are refused, read or dropped as a whole. */
  parts: readonly [names: RegExp, why: string][];
  prepare?: (harness: Harness) => void;
  /** Tells, and forgets, what reached others than the gateway. */
  alsoReached?: (harness: Harness) => unknown;
}

/** What became of a request: its status, what it was told and what reached the provider. */
interface Outcome {
  status: number;
  /** The error as text. */
  error: string;
  ignored: string[];
  reached: string;
}

/**
 * Asks of every field of every type of a client's requests what becomes of it: it reaches the provider, is refused by name or
 * named as ignored. Nothing may be dropped without a word.
 */
export function testFieldMatrix({ api, url, headers, examples, parts, prepare, alsoReached }: FieldMatrix): void {
  let harness: Harness;
  beforeAll(async () => {
    harness = await createHarness();
    prepare?.(harness);
  });
  afterAll(() => harness.close());

  async function outcome(body: object, [method, to]: readonly [string, string]): Promise<Outcome> {
    const { gateway } = harness;
    const all = [gateway.calls, gateway.wholeCalls, gateway.tokensCalls, gateway.countCalls];
    for (const list of all) list.length = 0;
    const response = await harness.send(method, to, body, headers);
    const requests = all.flatMap((list) => list.map((call) => ('request' in call ? call.request : call)));
    return {
      status: response.statusCode,
      error: response.statusCode === 200 ? '' : errorOf(response),
      ignored: String(response.headers['x-hearth-ignored'] ?? '')
        .split(', ')
        .filter(Boolean),
      // How an answer comes is a wish, too.
      reached: JSON.stringify([response.headers['content-type'], requests, alsoReached?.(harness)]),
    };
  }

  const recorded = recordedTypes(api);
  const list = Object.entries(examples).flatMap(([type, given]) =>
    [given].flat().map((example) => ({ type, ...example })),
  );

  it('has every type of a request that the pinned client has', () => {
    const missing = Object.keys(recorded).filter(
      (type) => !(type in examples) && !parts.some(([names]) => names.test(type)),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(examples).filter((type) => !(type in recorded))).toEqual([]);
  });

  describe.each(Object.entries(examples))('%s', (type, given) => {
    it('has the keys that the pinned client has', () => {
      const keys = [given]
        .flat()
        .flatMap(({ value, refused = {} }) => [...Object.keys(value), ...Object.keys(refused)]);
      expect([...new Set(keys)].sort()).toEqual(recorded[type]);
    });
  });

  describe.each(list)(
    '$type',
    ({ value, at, refused = {}, others = {}, elsewhere = {}, method = 'POST', url: path = url }) => {
      const to = [method, path] as const;
      it.each(Object.entries(refused))('%s is refused by name', async (key, refusedValue) => {
        const { status, error } = await outcome(at({ ...value, [key]: refusedValue }), to);
        expect([400, 404]).toContain(status);
        expect(error).toContain(key);
      });

      it.each(Object.keys(value).filter((key) => !(key in elsewhere)))(
        '%s is not dropped without a word',
        async (key) => {
          const full = await outcome(at(value), to);
          expect(full.error).toBe('');
          if (full.ignored.some((name) => name.split('.').at(-1) === key)) return;
          const { [key]: own, ...rest } = value;
          const without = await outcome(at(rest), to);
          if (without.status === 200 && !(key in others)) return expect(without.reached).not.toBe(full.reached);
          // It cannot be left out, so it is looked at; another value must make a difference, too.
          const other = others[key] ?? (typeof own === 'string' ? `${own}-other` : undefined);
          if (other === undefined) throw new Error(`${key} cannot be left out, and has no other value here`);
          const changed = await outcome(at({ ...value, [key]: other }), to);
          if (changed.status === 200) expect(changed.reached).not.toBe(full.reached);
          else expect(changed.error).toContain(key);
        },
      );
    },
  );
}

/** What an error says, in any of the dialects: its text and the field that it names. */
function errorOf(response: LightMyRequestResponse): string {
  const { error } = response.json() as { error: string | { message: string; details?: object; param?: string } };
  return typeof error === 'string' ? error : JSON.stringify([error.message, error.details, error.param]);
}
