import { part } from '../../api/live.ts';
import { ProviderLight } from '../../parts/provider-light.tsx';
import { duration } from '../../text/format.ts';

const providers = part('providers');

/** How everyone is who may be asked. */
export function ProvidersCard() {
  const all = providers.value ?? [];
  return (
    <section class="card" aria-labelledby="memory-providers">
      <header>
        <h2 id="memory-providers">Who answers</h2>
      </header>
      <ul class="plain stack tight">
        {all.map((one) => (
          <li key={one.id} class="row small">
            <ProviderLight provider={one} />
            <span class="end soft">{one.latency_ms === null ? '' : duration(one.latency_ms)}</span>
          </li>
        ))}
      </ul>
      {all.length === 1 && (
        <p class="small soft memory-alone">Nobody else is configured: nothing can leave the house.</p>
      )}
    </section>
  );
}
