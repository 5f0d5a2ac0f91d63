import { part } from '../../api/live.ts';
import { Notice } from '../../parts/notice.tsx';
import { Progress } from '../../parts/stat.tsx';
import { percent, usd } from '../../text/format.ts';

const today = part('today');
const names = { day: 'Today', week: 'This week', month: 'This month' } as const;

/** How much of each budget is spent. */
export function Budgets() {
  const budgets = today.value?.budgets ?? [];
  return (
    <section class="card" aria-labelledby="costs-budgets">
      <header>
        <h2 id="costs-budgets">Budgets</h2>
      </header>
      {budgets.length === 0 ? (
        <p class="soft small">
          No budget is set, so nothing that costs money is sent. <code>budgets: {'{ daily: 1, monthly: 10 }'}</code> in
          the configuration sets one.
        </p>
      ) : (
        <div class="stack">
          {budgets.map(({ period, limit_usd: limit, spent_usd: spent }) => {
            const share = limit === 0 ? 1 : spent / limit;
            return (
              <div key={period} class="stack tight">
                <span class="row small">
                  <strong>{names[period]}</strong>
                  <span class="end">
                    {usd(spent)} of {usd(limit)}, {percent(share)}
                  </span>
                </span>
                <Progress share={share} label={`Budget: ${names[period]}`} />
                {share >= 1 && (
                  <Notice kind="warn">It is spent: until it begins anew nothing that costs is sent.</Notice>
                )}
              </div>
            );
          })}
        </div>
      )}
    </section>
  );
}
