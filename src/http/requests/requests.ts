import { endedWith } from '../../core/abortable.ts';
import type { CallContext, Principal } from '../../core/call.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Progress, StreamEvent } from '../../core/events.ts';
import { layered } from '../../core/flow.ts';
import { promptTokensOf } from '../../core/usage.ts';
import type { Gateway } from '../../gateway/gateway.ts';

/** As many as are remembered, those that run included. */
const mostRequests = 1_000;
const maxAgeMs = 60 * 60_000;
/** So many that are forgotten are let go together. */
const forgottenAtOnce = 64;
/** Of the text so far, for each request that runs. */
const maxPartialCharacters = 64 * 1024;
/** Characters of a token, about. */
const charactersPerToken = 4;

/** Where a request for an answer is. */
export interface RequestStatus {
  status: 'queued' | 'running' | 'done' | 'failed';
  createdAt: Date;
  /** Null: it has not ended. */
  completedAt: Date | null;
  /** What was said so far by its first choice, while it runs; texts of requests that ended are not kept. */
  partialOutput: string | null;
}

/** A request that has not ended. A batch is one, of which the answer that was asked for last is shown. */
export interface LiveRequest {
  requestId: string;
  /** Name of the key that made it. */
  keyName: string;
  operation: 'generate' | 'embed' | 'rank' | 'decide';
  /** As the client asked for it, then as its provider names it. */
  model: string;
  /** Null: nobody has committed to it yet. */
  provider: string | null;
  status: 'queued' | 'running';
  createdAt: Date;
  elapsedMs: number;
  /** What becomes of it until it runs; null: it runs, or nothing is known. */
  progress: Progress | null;
  /** Null: not known yet. */
  promptTokens: number | null;
  /** So far, about; null: nobody here can tell, as of what passes as it came. */
  outputTokens: number | null;
}

/** The requests of the last hour, for whoever asks how far theirs is. In memory only: a restart forgets them. */
export interface RecentRequests {
  /** The same gateway, whose answers are followed from now on. */
  follow(gateway: Gateway): Gateway;
  /** Null: there is none of this id, or it is somebody else's. */
  find(requestId: string, owner: string): RequestStatus | null;
  /**
   * Ends a request, of whoever asks or, for administrators, of anybody. Returns where it is then; one that has ended stays as it
   * is. Null: as `find`.
   */
  cancel(requestId: string, by: Pick<Principal, 'id' | 'scopes'>): RequestStatus | null;
  /** Those that have not ended, oldest first: all of them for administrators, else one's own. */
  live(by: Pick<Principal, 'id' | 'scopes'>): LiveRequest[];
}

/** One request; a batch asks for several answers under one id. */
interface Followed {
  /** By which it is found. */
  key: string;
  requestId: string;
  owner: string;
  keyName: string;
  operation: LiveRequest['operation'];
  model: string;
  provider: string | null;
  createdAt: Date;
  createdMs: number;
  completedAt: Date | null;
  open: number;
  hasBegun: boolean;
  hasFailed: boolean;
  progress: Progress | null;
  promptTokens: number | null;
  /** Null: what comes cannot be read here. */
  characters: number | null;
  text: string;
  /** End what was asked for under this id and has not ended. */
  ends: Set<(reason: AppError) => void>;
  /** Null: nobody has cancelled it. */
  cancelled: AppError | null;
}

export function createRecentRequests(clock: Pick<Clock, 'now' | 'monotonicMs'>): RecentRequests {
  const followed = new Map<string, Followed>();
  /** In the order in which they came, some of which are forgotten: a map would have to be searched for its first one. */
  let order: Followed[] = [];
  let oldest = 0;
  const keyOf = (requestId: string, owner: string) => `${owner} ${requestId}`;

  function dropOld(): void {
    const nowMs = clock.monotonicMs();
    for (; oldest < order.length; oldest++) {
      const request = order[oldest]!;
      // A newer one has its id.
      if (followed.get(request.key) !== request) continue;
      const isOld = nowMs - request.createdMs >= maxAgeMs && request.open === 0;
      if (!isOld && followed.size <= mostRequests) break;
      followed.delete(request.key);
    }
    if (oldest < forgottenAtOnce) return;
    order = order.slice(oldest);
    oldest = 0;
  }

  function begin({ requestId, principal }: CallContext, operation: Followed['operation'], model: string): Followed {
    const key = keyOf(requestId, principal.id);
    const known = followed.get(key);
    if (known !== undefined && known.open > 0) {
      known.open++;
      return Object.assign(known, { operation, model, provider: null, progress: null });
    }
    const request: Followed = {
      key,
      requestId,
      owner: principal.id,
      keyName: principal.name,
      operation,
      model,
      provider: null,
      createdAt: clock.now(),
      createdMs: clock.monotonicMs(),
      completedAt: null,
      open: 1,
      hasBegun: false,
      hasFailed: false,
      progress: null,
      promptTokens: null,
      characters: 0,
      text: '',
      ends: new Set(),
      cancelled: null,
    };
    // The place in lists is that of the newest of an id.
    if (known !== undefined) followed.delete(key);
    followed.set(key, request);
    order.push(request);
    dropOld();
    return request;
  }

  function end(request: Followed, isWhole: boolean): void {
    if (!isWhole) request.hasFailed = true;
    request.open--;
    if (request.open > 0) return;
    request.completedAt = clock.now();
    request.text = '';
    request.ends.clear();
  }

  /** An answer that comes whole. */
  const followWhole = async <Result extends { providerId: string; model: string }>(
    operation: Followed['operation'],
    { model }: { model: string },
    context: CallContext,
    ask: (context: CallContext) => Promise<Result>,
  ): Promise<Result> => {
    const request = begin(context, operation, model);
    const { own, release } = endedBy(request, context);
    try {
      const result = await ask(own);
      Object.assign(request, { hasBegun: true, provider: result.providerId, model: result.model });
      end(request, true);
      return result;
    } catch (error) {
      end(request, false);
      throw error;
    } finally {
      release();
    }
  };

  const statusOf = ({ createdAt, completedAt, open, hasBegun, hasFailed, text }: Followed): RequestStatus => ({
    status: open === 0 ? (hasFailed ? 'failed' : 'done') : hasBegun ? 'running' : 'queued',
    createdAt,
    completedAt,
    partialOutput: open > 0 && text !== '' ? text : null,
  });

  return {
    follow: (gateway) => ({
      ...gateway,
      async stream(chat, context, onProgress = () => {}) {
        const request = begin(context, 'generate', chat.model);
        const { own, release } = endedBy(request, context);
        let hasEnded = false;
        const endAs = (isWhole: boolean) => {
          if (hasEnded) return;
          hasEnded = true;
          end(request, isWhole);
          // One that was given up still has to hear why.
          if (isWhole) release();
        };
        try {
          const begun = await gateway.stream(chat, own, (progress) => {
            request.progress = progress;
            onProgress(progress);
          });
          const { providerId: provider, model } = begun;
          Object.assign(request, { hasBegun: true, provider, model, progress: null });
          if (begun.relay !== null) request.characters = null;
          return {
            ...begun,
            events: watched(begun.events, (event) => see(request, event), endAs),
            relay: begun.relay && { ...begun.relay, bytes: watched(begun.relay.bytes, () => {}, endAs) },
          };
        } catch (error) {
          endAs(false);
          throw error;
        }
      },
      embed: (wanted, context) => followWhole('embed', wanted, context, (own) => gateway.embed(wanted, own)),
      rank: (wanted, context) => followWhole('rank', wanted, context, (own) => gateway.rank(wanted, own)),
      decide: (wanted, context) => followWhole('decide', wanted, context, (own) => gateway.decide(wanted, own)),
    }),
    find(requestId, owner) {
      dropOld();
      const request = followed.get(keyOf(requestId, owner));
      return request === undefined ? null : statusOf(request);
    },
    cancel(requestId, by) {
      dropOld();
      const others = () => [...followed.values()].find((one) => one.requestId === requestId && one.open > 0);
      const request = followed.get(keyOf(requestId, by.id)) ?? (isAdministrator(by) ? others() : undefined);
      if (request === undefined) return null;
      if (request.open === 0) return statusOf(request);
      request.cancelled ??= new AppError('client_closed_request', 'The request was cancelled.');
      for (const end of [...request.ends]) end(request.cancelled);
      return { ...statusOf(request), status: 'failed' };
    },
    live: (by) =>
      [...followed.values()]
        .filter(({ open, owner }) => open > 0 && (isAdministrator(by) || owner === by.id))
        .map(({ requestId, keyName, operation, model, provider, createdAt, ...request }) => ({
          requestId,
          keyName,
          operation,
          model,
          provider,
          status: request.hasBegun ? 'running' : 'queued',
          createdAt,
          elapsedMs: clock.monotonicMs() - request.createdMs,
          progress: request.progress,
          promptTokens: request.promptTokens,
          outputTokens: request.characters === null ? null : Math.ceil(request.characters / charactersPerToken),
        })),
  };
}

function isAdministrator({ scopes }: Pick<Principal, 'scopes'>): boolean {
  return scopes.includes('admin');
}

/** The context of a request that can be cancelled by its id, too. `release`: at its end. */
function endedBy(request: Followed, context: CallContext): { own: CallContext; release: () => void } {
  const { signal, end, release } = endedWith([context.signal]);
  if (request.cancelled !== null) end(request.cancelled);
  request.ends.add(end);
  return {
    own: { ...context, signal },
    release() {
      request.ends.delete(end);
      release();
    },
  };
}

function see(request: Followed, event: StreamEvent): void {
  if (event.type === 'start') request.promptTokens = promptTokensOf(event.usage);
  if (event.type === 'progress') request.progress = event;
  if (request.characters !== null) {
    if (event.type === 'text-delta' || event.type === 'reasoning-delta') request.characters += event.text.length;
    if (event.type === 'tool-call-delta') request.characters += event.argumentsText.length;
  }
  if (event.type !== 'text-delta' || (event.choice ?? 0) !== 0) return;
  if (request.text.length < maxPartialCharacters) request.text += event.text;
}

/** `endAs` is told once whether the items came to their end. */
function watched<Item>(
  items: AsyncIterable<Item>,
  see: (item: Item) => void,
  endAs: (isWhole: boolean) => void,
): AsyncIterableIterator<Item> {
  return layered<Item>(items, {
    take(item, give) {
      see(item);
      give(item);
    },
    ended: () => endAs(true),
    failed(error) {
      endAs(false);
      return error;
    },
    leaves: () => endAs(false),
  });
}
