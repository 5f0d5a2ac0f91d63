/** Where a request for a model may be computed: in the one region that it is sent to, or within a group of regions. */
export type Scope = 'region' | 'us' | 'us-gov' | 'eu' | 'apac' | 'jp' | 'au' | 'ca' | 'global';

/** What an id of Bedrock says of itself. */
export interface ModelId {
  /** As it was given: what is asked. */
  id: string;
  /** The foundation model, without region and profile; null: the id does not tell (an application's profile, provisioned). */
  base: string | null;
  scope: Scope;
  /** Of an ARN; null: that of the client. */
  region: string | null;
}

const arn = /^arn:aws[\w-]*:bedrock:([a-z0-9-]*):\d*:([a-z-]+)\/(.+)$/;
const profilePrefix = /^(us-gov|us|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)/;
const foundationModel = /^[a-z0-9]+\.[a-z][\w.-]*(:\d+)?(:[\w]+)?$/;

/**
 * Reads an id: a foundation model (`anthropic.claude-…`), a profile over regions (`eu.anthropic.claude-…`), or the ARN of
 * either, of an application's own profile or of provisioned throughput. Null: no id of Bedrock has such a form.
 */
export function parseModelId(id: string): ModelId | null {
  const [, region, kind, resource] = arn.exec(id) ?? [];
  if (resource !== undefined) {
    const named = kind === 'foundation-model' || kind === 'inference-profile' ? parseModelId(resource) : null;
    return { id, base: named?.base ?? null, scope: named?.scope ?? 'region', region: region || null };
  }
  const scope = profilePrefix.exec(id)?.[1] as Scope | undefined;
  const base = scope === undefined ? id : id.slice(scope.length + 1);
  return foundationModel.test(base) && vendors.has(base.split('.', 1)[0]!)
    ? { id, base, scope: scope ?? 'region', region: null }
    : null;
}

/** Whose models Bedrock has: tells an id of it from any other name with a dot (`qwen2.5-7b`). As of 2026-11. */
const vendors = new Set(
  'ai21 amazon anthropic cohere deepseek google luma meta minimax mistral moonshot moonshotai nvidia openai qwen stability twelvelabs writer zai'.split(
    ' ',
  ),
);

/**
 * The profile that keeps a model within the geography of a region; null: there is none, and a wider one is for the
 * configuration to choose, since it takes prompts elsewhere.
 */
export function geographyOf(region: string): Scope | null {
  if (region.startsWith('us-gov-')) return 'us-gov';
  if (region.startsWith('us-')) return 'us';
  if (region.startsWith('eu-')) return 'eu';
  if (region === 'ap-northeast-1' || region === 'ap-northeast-3') return 'jp';
  if (region === 'ap-southeast-2' || region === 'ap-southeast-4') return 'au';
  return null;
}

/** Names of seed 001 and their like that stand for a foundation model; aliases of the configuration come first. */
export const knownNames: Readonly<Record<string, string>> = {
  'claude-sonnet-4.5': 'anthropic.claude-sonnet-4-5-20250929-v1:0',
  'claude-haiku-4.5': 'anthropic.claude-haiku-4-5-20251001-v1:0',
};
