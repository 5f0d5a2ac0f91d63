/**
 * The name in the file of a value of `Config`, by its path there: `cloud.requestTimeoutMs` is `global.request_timeout`.
 * Of a provider, a chain and the like it is the setting that holds the value, not each number in it.
 */
export function settingOf(path: string): string {
  const parts = path.split('.');
  const [section = '', first = '', second = '', third = '', fourth = ''] = parts;
  if (section === 'cloud')
    return cloudSettingOf(first, second, third === 'timeouts' ? (timeouts[fourth] ?? third) : third);
  const named = names[`${section}.${first}`];
  if (named !== undefined) return named;
  const file = section === 'pulls' ? 'models' : section;
  return first === '' ? snake(file) : `${file}.${snake(first)}`;
}

/** Those whose names differ by more than their unit. */
const names: Readonly<Record<string, string>> = {
  'server.apiKeys': 'server.api_key',
  'models.keepAliveMsOf': 'models.keep_alives',
  'models.contextTokens': 'models.context_length',
  'pulls.hosts': 'models.pull_hosts',
  'pulls.allowPrivate': 'models.pull_allow_private',
  'pulls.bytesPerSecond': 'models.pull_rate',
  'pulls.hours': 'models.pull_window',
  'pulls.reserveBytes': 'models.pull_reserve',
  'pulls.resume': 'models.pull_resume',
  'jobs.hours': 'jobs.window',
  'jobs.runOnBattery': 'jobs.on_battery',
};

/** Of a provider. */
const timeouts: Readonly<Record<string, string>> = {
  firstByteMs: 'first_byte_timeout',
  idleMs: 'idle_timeout',
  totalMs: 'timeout',
};

const ofGlobal: Readonly<Record<string, string>> = {
  cloudAllowed: 'cloud',
  defaultProvider: 'default_provider',
  defaultModel: 'default_model',
  requestTimeoutMs: 'request_timeout',
  healthProbes: 'health_probes',
  retries: 'max_retries',
};

function cloudSettingOf(field: string, second: string, third: string): string {
  const inGlobal = ofGlobal[field];
  if (inGlobal !== undefined) return `global.${inGlobal}`;
  switch (field) {
    case 'caching':
      return second === 'enabled' ? 'global.enable_caching' : 'global.cache_ttl';
    case 'providers':
      return third === '' ? `providers.${second}` : `providers.${second}.${snake(third)}`;
    case 'chains':
      return `failover_chains.${second}`;
    case 'budget':
      return `budgets.${second}`;
    case 'keyBudget':
      return `budgets.per_key.${second}`;
    case 'alertAt':
      return 'budgets.alert_at';
    case 'unknownPricesAllowed':
      return 'budgets.unknown_prices';
    case 'priceList':
      return 'budgets.price_list_file';
    case 'ledgerKeepDays':
      return 'ledger.keep_days';
    case 'rateLimits':
      return `rate_limits.${snake(second)}.${snake(third)}`;
    default:
      return snake(field);
  }
}

/** `bodyLimitBytes` is `body_limit`. */
function snake(name: string): string {
  return name.replace(/(?:Ms|Bytes)$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
