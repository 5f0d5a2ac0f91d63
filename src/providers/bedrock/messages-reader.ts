import { AppError, type ErrorCode } from '../../core/errors.ts';
import type { StreamEvent } from '../../core/events.ts';
import type { Usage } from '../../core/usage.ts';
import { createEventMapper } from '../messages/from-wire.ts';
import { type JsonObject, objectAt, textAt } from '../messages/json.ts';

/** Reads Claude's own events, as they come within the chunks of InvokeModelWithResponseStream. */
export interface MessagesReader {
  /** `event`: one payload. Throws the `AppError` that an `error` event stands for. */
  read(event: JsonObject): StreamEvent[];
  /** What is left to say. Throws `upstream_unavailable` where the message has not ended. */
  end(): StreamEvent[];
  readonly isDone: boolean;
}

/** `model`: our own name; `place`: where it was computed, if the answer does not tell. */
export function createMessagesReader(deps: { provider: string; model: string; place: string | null }): MessagesReader {
  const { provider, model, place } = deps;
  const mapper = createEventMapper({ provider, warnings: [], toolName: (name) => name });
  // What the answer says of the place counts more than what the id promised; the two are what the price goes by.
  const placed = (usage: Usage): Usage => ({ ...usage, servedPlace: usage.servedPlace ?? place });
  const own = (event: StreamEvent): StreamEvent => {
    if (event.type === 'start') return { ...event, model, usage: placed(event.usage) };
    return event.type === 'finish' ? { ...event, usage: placed(event.usage) } : event;
  };
  return {
    get isDone() {
      return mapper.isWhole;
    },
    read(event) {
      if (event['type'] === 'error') throw errorEvent(event, provider);
      return mapper.push(event).map(own);
    },
    end: () => mapper.end().map(own),
  };
}

const errorCodes: Readonly<Record<string, ErrorCode>> = {
  invalid_request_error: 'upstream_refused',
  rate_limit_error: 'upstream_rate_limited',
  overloaded_error: 'upstream_overloaded',
  timeout_error: 'upstream_timeout',
};

function errorEvent(event: JsonObject, provider: string): AppError {
  const error = objectAt(event, 'error') ?? {};
  const type = textAt(error, 'type') ?? 'api_error';
  const code = errorCodes[type] ?? 'upstream_unavailable';
  return new AppError(code, textAt(error, 'message') ?? type, {
    details: { provider, upstream_type: type },
    upstream: { provider, dialect: 'anthropic', status: 500, headers: {}, body: event },
  });
}
