import { anonymous, type CallContext, localOnly, type RoutingConfig } from '../../src/core/call.ts';

/** Requests go to the models of this machine, and nothing leaves it. */
export const localRouting: RoutingConfig = { defaultProvider: 'local', cloudAllowed: false, chains: {} };

/** The context of a request of nobody in particular that nobody aborts. */
export function anyContext(changes: Partial<CallContext> = {}): CallContext {
  return {
    principal: anonymous,
    routing: localOnly,
    config: localRouting,
    deadlineMs: null,
    signal: new AbortController().signal,
    requestId: 'req_test',
    ...changes,
  };
}
