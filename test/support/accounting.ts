import { toCloudConfig } from '../../src/config/cloud.ts';
import { cloudSchemas } from '../../src/config/cloud-settings.ts';
import { createProblems } from '../../src/config/problems.ts';
import type { CloudConfig } from '../../src/config/providers.ts';
import type { AttemptEnd } from '../../src/core/attempt.ts';
import { unknownUsage } from '../../src/core/usage.ts';
import type { Database, Tables } from '../../src/storage/storage.ts';

/** The configuration of sections as the file has them. */
export function cloudOf(sections: { providers?: unknown; budgets?: unknown } = {}): CloudConfig {
  const problems = createProblems();
  const config = toCloudConfig(
    {
      version: null,
      global: null,
      providers: sections.providers === undefined ? null : cloudSchemas.providers.parse(sections.providers),
      failover_chains: null,
      rate_limits: null,
      budgets: sections.budgets === undefined ? null : cloudSchemas.budgets.parse(sections.budgets),
      keys: null,
      jwt: null,
      ledger: null,
    },
    problems,
  );
  problems.throwIfAny();
  return config;
}

/** One priced model: a token of the prompt costs 0.000003 USD, one of the answer 0.000015. */
export const anthropicAt3 = {
  anthropic: { api_key: 'x', models: [{ id: 'claude-x', pricing: { input_per_million: 3, output_per_million: 15 } }] },
};

export function endWith(changes: Partial<AttemptEnd> = {}): AttemptEnd {
  return {
    outcome: 'answered',
    error: null,
    usage: unknownUsage,
    seenOutputTokens: 0,
    seenReasoningTokens: 0,
    latencyMs: 100,
    firstContentMs: 20,
    answeredModel: 'claude-x',
    ...changes,
  };
}

let rows = 0;

/** Writes rows of the ledger: answers of GPT at the given times, unless they say otherwise. */
export async function addRows(
  database: Database,
  all: readonly (Partial<Omit<Tables['ledger'], 'at'>> & { at: string })[],
): Promise<void> {
  const values = all.map(({ at, ...changes }) => ({
    attempt_id: `att_${rows++}`,
    request_id: 'req_abc123',
    at: BigInt(Date.parse(at)),
    principal: 'anonymous',
    provider: 'openai',
    model: 'gpt-4o',
    answered_model: null,
    operation: 'generate',
    attempt_index: 0n,
    input_tokens: 500n,
    cache_read_tokens: null,
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: 150n,
    reasoning_tokens: null,
    latency_ms: 450n,
    first_content_ms: 120n,
    served_tier: null,
    served_place: null,
    is_estimated: 0n,
    left_house: 1n,
    outcome: 'answered',
    error_code: null,
    cost: 4_700_000n,
    key_name: null,
    ...changes,
  }));
  await database.transaction(async (tables) => {
    await tables.insertInto('ledger').values(values).execute();
  });
}
