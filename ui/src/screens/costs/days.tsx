import { useLoaded } from '../../api/load.ts';
import type { DailyCosts, PrivacyDay } from '../../api/types.ts';
import { Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { counted, usd, whole } from '../../text/format.ts';

/** Each day with what was answered here and what left, by key and model. Days on which nobody asked are left out. */
export function Days({ count }: { count: number }) {
  const { value, failure, reload } = useLoaded<{ days: PrivacyDay[] }>('api/v1/privacy/daily', { days: count });
  const costs = useLoaded<DailyCosts>('api/v1/costs/daily', { days: count });
  if (failure) return <RetryNotice title="The days are not known" failure={failure} onRetry={reload} />;
  if (value === null) return <Waiting what="Reading the ledger" />;
  const days = value.days.filter(({ here, left }) => here.requests + left.requests > 0);
  const most = Math.max(1, ...days.map(({ here, left }) => here.requests + left.requests));
  if (days.length === 0) return <p class="soft small">Nobody asked for anything in these days.</p>;
  return (
    <>
      <p class="row small">
        <span>
          <span class="costs-key here" /> answered here
        </span>
        <span>
          <span class="costs-key left" /> left the house
        </span>
      </p>
      <ul class="plain stack">
        {days.map((day) => (
          <Day key={day.date} day={day} most={most} cost={costs.value?.daily_costs[day.date]} />
        ))}
      </ul>
    </>
  );
}

function Day({ day, most, cost }: { day: PrivacyDay; most: number; cost: number | undefined }) {
  const { date, here, left } = day;
  return (
    <li class="costs-day" data-date={date}>
      <span class="row small">
        <strong>{date}</strong>
        <span class="end">
          <span data-here={here.requests}>{counted(here.requests, 'answer')} here</span>,{' '}
          <span data-left={left.requests}>{whole(left.requests)} left</span>
          {cost !== undefined && cost > 0 && `, ${usd(cost)}`}
        </span>
      </span>
      <div class="costs-day-bar" aria-hidden="true">
        <span class="here" style={{ width: `${(here.requests / most) * 100}%` }} />
        <span class="left" style={{ width: `${(left.requests / most) * 100}%` }} />
      </div>
      <details class="fold">
        <summary>Who asked whom on {date}</summary>
        <table class="table folds">
          <thead>
            <tr>
              <th>Key</th>
              <th>Model</th>
              <th>Where</th>
              <th class="right">Requests</th>
              <th class="right">Tokens in, out</th>
            </tr>
          </thead>
          <tbody>
            {day.by_key.map((row) => (
              <tr key={`${row.key} ${row.provider} ${row.model}`}>
                <td data-name="Key">{row.key_name ?? row.key}</td>
                <td data-name="Model">{row.model}</td>
                <td data-name="Where">
                  {row.left_house ? <span class="chip away">{row.provider}</span> : <span class="chip good">here</span>}
                </td>
                <td data-name="Requests" class="right">
                  {whole(row.requests)}
                </td>
                <td data-name="Tokens in, out" class="right">
                  {whole(row.input_tokens)}, {whole(row.output_tokens)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </li>
  );
}
