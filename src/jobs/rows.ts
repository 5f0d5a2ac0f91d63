import type { Budget, Principal } from '../core/call.ts';
import type { Tables } from '../storage/storage.ts';
import type { Batch } from './batch.ts';

/** A batch as its owner sees it. */
export function toBatch(row: Tables['batches']): Batch {
  const counts = {
    total: Number(row.total),
    succeeded: Number(row.succeeded),
    errored: Number(row.errored),
    canceled: Number(row.canceled),
    expired: Number(row.expired),
  };
  return {
    id: row.id,
    api: row.api,
    path: row.path,
    state: row.state as Batch['state'],
    closing: row.closing as Batch['closing'],
    counts: {
      ...counts,
      processing: counts.total - counts.succeeded - counts.errored - counts.canceled - counts.expired,
    },
    usage: {
      inputTokens: Number(row.input_tokens),
      cachedTokens: Number(row.cached_tokens),
      outputTokens: Number(row.output_tokens),
      reasoningTokens: Number(row.reasoning_tokens),
    },
    models: JSON.parse(row.models) as string[],
    notes: JSON.parse(row.notes ?? '{}') as Record<string, unknown>,
    createdAt: dateOf(row.created_at),
    startedAt: dateOrNull(row.started_at),
    expiresAt: dateOf(row.expires_at),
    cancelledAt: dateOrNull(row.cancelled_at),
    endedAt: dateOrNull(row.ended_at),
    finishedAt: dateOrNull(row.finished_at),
    archivedAt: dateOrNull(row.archived_at),
  };
}

function dateOf(ms: bigint): Date {
  return new Date(Number(ms));
}

function dateOrNull(ms: bigint | null): Date | null {
  return ms === null ? null : dateOf(ms);
}

/** Who made a batch, as JSON: money is a text there. The address is not kept, as nobody asks from it later. */
export function writePrincipal({ budget, address: _, ...rest }: Principal): string {
  const text = (amount: bigint | null) => (amount === null ? null : String(amount));
  return JSON.stringify({
    ...rest,
    budget: budget && { daily: text(budget.daily), weekly: text(budget.weekly), monthly: text(budget.monthly) },
  });
}

export function readPrincipal(json: string): Principal {
  const { budget, tokenEndsAt, ...rest } = JSON.parse(json) as Omit<Principal, 'address' | 'budget' | 'tokenEndsAt'> & {
    budget: Record<keyof Budget, string | null> | null;
    tokenEndsAt?: string;
  };
  const amount = (text: string | null) => (text === null ? null : BigInt(text));
  return {
    ...rest,
    address: null,
    ...(tokenEndsAt !== undefined && { tokenEndsAt: new Date(tokenEndsAt) }),
    budget: budget && {
      daily: amount(budget.daily),
      weekly: amount(budget.weekly),
      monthly: amount(budget.monthly),
    },
  };
}
