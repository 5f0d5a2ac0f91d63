import { isJson, type Json, jsonAt } from './wire.ts';

/**
 * Signatures of calls, by the id of the call. Gemini 3 and later put one beside the first call of a turn and refuse a
 * history without it; clients of other dialects cannot carry it. Forgets the oldest, and everything with the process.
 * Source: https://ai.google.dev/gemini-api/docs/thought-signatures, read 2026-11-29.
 */
export interface CallSignatures {
  keep(callId: string, call: Json): void;
  /** The fields that the call had beside it. Where they are not known the first call of a turn says so, as documented. */
  of(callId: string, isFirst: boolean): Json;
}

const most = 4_096;

export function createCallSignatures(): CallSignatures {
  const kept = new Map<string, Json>();
  return {
    keep(callId, call) {
      if (!isJson(jsonAt(call, 'extra_content')['google'])) return;
      kept.delete(callId);
      kept.set(callId, { extra_content: call['extra_content'] });
      if (kept.size > most) kept.delete(kept.keys().next().value!);
    },
    of(callId, isFirst) {
      const known = kept.get(callId);
      if (known) return known;
      return isFirst ? { extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } } : {};
    },
  };
}
