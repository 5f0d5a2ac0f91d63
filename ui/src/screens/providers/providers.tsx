import { part } from '../../api/live.ts';
import { useLoaded } from '../../api/load.ts';
import type { Chains, CircuitBreakers, RateLimits } from '../../api/types.ts';
import { Waiting } from '../../parts/notice.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { counted } from '../../text/format.ts';
import { ProviderCard } from './provider-card.tsx';
import './providers.css';

const providers = part('providers');

/** Who else may answer, how they are, and what is left of their limits. */
export default function Providers() {
  const now = providers.value;
  // Their lights come by themselves; what is counted is asked for again as they change.
  const circuits = useLoaded<CircuitBreakers>('api/v1/health/circuit-breakers', {}, [now]);
  const limits = useLoaded<RateLimits>('api/v1/rate-limits', {}, [now]);
  const chains = useLoaded<Chains>('api/v1/providers/failover-chains');
  if (now === null) {
    return (
      <ScreenFrame title="Providers">
        <Waiting what="Asking the server" />
      </ScreenFrame>
    );
  }
  const others = now.filter(({ type }) => type !== 'local');
  return (
    <ScreenFrame
      title="Providers"
      summary={`This machine${others.length > 0 ? ` and ${counted(others.length, 'other')}` : ' alone'}`}
    >
      <div class="providers-cards">
        {now.map((provider) => (
          <ProviderCard
            key={provider.id}
            provider={provider}
            circuit={circuits.value?.circuit_breakers[provider.id] ?? null}
            limits={limits.value?.limits[provider.id] ?? {}}
          />
        ))}
      </div>
      {others.length === 0 && (
        <p class="soft small">
          Claude, Bedrock, OpenAI and servers that speak as it does are added under <code>providers</code> in the
          configuration. Nothing is sent to them unless a request asks for it.
        </p>
      )}
      <FailoverChains chains={chains.value?.chains ?? {}} />
    </ScreenFrame>
  );
}

function FailoverChains({ chains }: Pick<Chains, 'chains'>) {
  const names = Object.keys(chains);
  if (names.length === 0) return null;
  return (
    <section class="card" aria-labelledby="providers-chains">
      <header>
        <h2 id="providers-chains">Failover chains</h2>
      </header>
      <ul class="plain stack tight small">
        {names.map((name) => (
          <li key={name}>
            <strong>{name}</strong>: {chains[name]!.providers.join(' → ')}
            {chains[name]!.description && <span class="soft"> · {chains[name]!.description}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}
