import { anonymous, type CallContext, localRouting, noWish } from '../../src/core/call.ts';

export { localRouting };

/** The context of a request of nobody in particular that nobody aborts. */
export function anyContext(changes: Partial<CallContext> = {}): CallContext {
  return {
    principal: anonymous,
    routing: noWish,
    config: localRouting,
    deadlineMs: null,
    signal: new AbortController().signal,
    requestId: 'req_test',
    ...changes,
  };
}
