import { promptTokensOf, type Usage, unknownUsage } from '../../core/usage.ts';
import { type JsonObject, numberAt, objectAt, textAt } from './json.ts';

/** Later counts replace earlier ones, each by itself; a null says nothing. They are cumulative and never added. */
export function mergeUsage(earlier: JsonObject, later: JsonObject | null): JsonObject {
  const said = Object.entries(later ?? {}).filter(([, value]) => value !== null && value !== undefined);
  return { ...earlier, ...Object.fromEntries(said) };
}

/** Usage of the wire in the words of the core; both count cached tokens apart. */
export function toUsage(raw: JsonObject): Usage {
  const prompt = {
    inputTokens: numberAt(raw, 'input_tokens'),
    cacheReadTokens: numberAt(raw, 'cache_read_input_tokens'),
    ...cacheWrites(raw),
  };
  return {
    ...unknownUsage,
    ...prompt,
    // Some gateways begin with zeros and count at the end: there is no prompt without a token.
    ...(promptTokensOf({ ...unknownUsage, ...prompt }) === 0 && { inputTokens: null }),
    outputTokens: numberAt(raw, 'output_tokens'),
    reasoningTokens: numberAt(objectAt(raw, 'output_tokens_details') ?? {}, 'thinking_tokens'),
    serverTools: serverToolsOf(raw),
    // Whatever was asked for: what was served is what is paid for. "fast" is a price of its own, whatever the tier.
    servedTier: textAt(raw, 'speed') === 'fast' ? 'fast' : textAt(raw, 'service_tier'),
    servedPlace: textAt(raw, 'inference_geo'),
    raw,
  };
}

/** The sum is cumulative, its parts by lifetime come at the start only: what came later is of the usual five minutes. */
function cacheWrites(raw: JsonObject): Pick<Usage, 'cacheWrite5mTokens' | 'cacheWrite1hTokens'> {
  const parts = objectAt(raw, 'cache_creation') ?? {};
  const hour = numberAt(parts, 'ephemeral_1h_input_tokens');
  const all = numberAt(raw, 'cache_creation_input_tokens');
  return {
    cacheWrite5mTokens: all === null ? numberAt(parts, 'ephemeral_5m_input_tokens') : Math.max(0, all - (hour ?? 0)),
    cacheWrite1hTokens: hour ?? (all === null ? null : 0),
  };
}

function serverToolsOf(raw: JsonObject): Usage['serverTools'] {
  const used = Object.entries(objectAt(raw, 'server_tool_use') ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return used.length === 0 ? null : Object.fromEntries(used);
}
