/** What stands where a secret was. */
const hidden = '[redacted]';
/** Shorter ones would be found in words that mean something else. */
const shortestSecret = 8;

/** Names of fields, variables and parameters that hold a secret. */
const secretName = 'api[-_]?key|access[-_]?key(?:[-_]?id)?|secret(?:[-_]?access)?(?:[-_]?key)?|token|password|passwd';
const isSecretName = new RegExp(`(?:${secretName}|^authorization|^cookie|^x-api-key)$`, 'i');

/** What keys and tokens look like, whoever issued them. The first group stays. */
const looksLikeSecret: readonly RegExp[] = [
  // `Authorization: Bearer …`, as headers and as messages of services repeat it.
  /(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}/gi,
  // Hearth's own, OpenAI's, Anthropic's, GitHub's, a hub's, Slack's.
  /()\b(?:sk|pk|rk|ghp|gho|ghs|ghu|github_pat|hf|xox[abprs])[-_][\w-]{8,}/g,
  // AWS and Google.
  /()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /()\bAIza[\w-]{30,}/g,
  // A signed token.
  /()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  // User and password of an address.
  /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"'<>]+@/gi,
  // `API_KEY=…`, `token: …`; a number behind such a word is a count.
  new RegExp(
    `((?:${secretName})["']?\\s*[=:]\\s*["']?)(?!\\d+\\b|null\\b|true\\b|false\\b|\\[redacted\\])[^\\s"'&,;}]{4,}`,
    'gi',
  ),
  /([?&](?:key|sig|signature|ticket)=)[^\s"'&]{4,}/gi,
];

/** A text without secrets: those that are known, and whatever looks like one. */
export function hideSecrets(text: string, known: Iterable<string> = []): string {
  const exact = [...known]
    // A header may hold more than the key: `Bearer …`.
    .flatMap((one) => [one, ...one.split(/\s+/)])
    .flatMap((one) => [one, JSON.stringify(one).slice(1, -1), encodeURIComponent(one)])
    .filter((one) => one.length >= shortestSecret)
    // A secret may be the beginning of another one.
    .sort((left, right) => right.length - left.length);
  const withoutKnown = exact.reduce((shown, one) => shown.replaceAll(one, hidden), text);
  return looksLikeSecret.reduce((shown, pattern) => shown.replace(pattern, `$1${hidden}`), withoutKnown);
}

/** The same for every text in a value of JSON, names of fields among them; a field that is named like a secret loses its text. */
export function hideSecretsIn(value: unknown, known: Iterable<string> = []): unknown {
  if (typeof value === 'string') return hideSecrets(value, known);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => hideSecretsIn(item, known));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      hideSecrets(name, known),
      typeof item === 'string' && item !== '' && isSecretName.test(name) ? hidden : hideSecretsIn(item, known),
    ]),
  );
}
