import { useLoaded } from '../../api/load.ts';
import type { CostSummary } from '../../api/types.ts';
import { Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { Stat } from '../../parts/stat.tsx';
import { counted, usd, whole } from '../../text/format.ts';

/** What this month cost, with whom. */
export function Spent() {
  const { value, failure, reload } = useLoaded<CostSummary>('api/v1/costs/summary');
  return (
    <section class="card" aria-labelledby="costs-spent">
      <header>
        <h2 id="costs-spent">This month</h2>
      </header>
      <RetryNotice title="What was spent is not known" failure={failure} onRetry={reload} />
      {value === null ? (
        failure === null && <Waiting what="Reading the ledger" />
      ) : (
        <div class="stack">
          <dl class="stats">
            <Stat
              name="Cost"
              value={<span data-usd={value.total_cost}>{usd(value.total_cost)}</span>}
              note={
                value.unknown_cost_count > 0 ? `and ${counted(value.unknown_cost_count, 'unknown cost')}` : undefined
              }
            />
            <Stat name="Tries at providers" value={whole(value.request_count)} />
          </dl>
          <Sums title="By provider" sums={value.by_provider} />
          <Sums title="By model" sums={value.by_model} />
        </div>
      )}
    </section>
  );
}

function Sums({ title, sums }: { title: string; sums: Readonly<Record<string, number>> }) {
  const rows = Object.entries(sums).sort(([, one], [, other]) => other - one);
  if (rows.length === 0) return null;
  return (
    <table class="table">
      <thead>
        <tr>
          <th>{title}</th>
          <th class="right">Cost</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, cost]) => (
          <tr key={name}>
            <td>{name}</td>
            <td class="right">{usd(cost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
