import type { ProviderLight as Provider } from '../api/types.ts';

const looks = { healthy: 'good', degraded: 'warn', unhealthy: 'bad', unknown: 'off', disabled: 'off' } as const;
const words = {
  healthy: 'well',
  degraded: 'has trouble',
  unhealthy: 'fails',
  unknown: 'not asked so far',
  disabled: 'switched off',
} as const;

/** How a provider is, in colour, form and words; with its name unless that stands beside it. */
export function ProviderLight({ provider, isNamed = true }: { provider: Provider; isNamed?: boolean }) {
  const { display_name, status, error, open_circuits } = provider;
  const why = [words[status], error, open_circuits.length > 0 && `resting: ${open_circuits.join(', ')}`];
  return (
    <span class={`light ${looks[status]}`}>
      <span>
        {isNamed && <strong>{display_name} </strong>}
        <span class="soft">{why.filter(Boolean).join(' · ')}</span>
      </span>
    </span>
  );
}
