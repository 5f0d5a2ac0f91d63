import { part } from '../../api/live.ts';
import { Progress, Stat } from '../../parts/stat.tsx';
import { counted, percent, usd, whole } from '../../text/format.ts';

const today = part('today');
const jobs = part('jobs');
const periods = { day: 'of the day', week: 'of the week', month: 'of the month' } as const;

/** What today cost, and what left the house. */
export function TodayCard() {
  const now = today.value;
  const items = jobs.value;
  const waiting = items === null ? 0 : items.pending + items.running;
  return (
    <section class="card" aria-labelledby="memory-today">
      <header>
        <h2 id="memory-today">Today</h2>
        <span class="soft small end">{now ? `${now.date}, UTC` : ''}</span>
      </header>
      {now === null ? (
        <p class="soft small">The database does not answer; costs and requests of today are not known.</p>
      ) : (
        <div class="stack">
          <dl class="stats">
            <Stat
              name="Cost"
              value={usd(now.cost_usd)}
              note={now.unknown_cost_count > 0 ? `and ${counted(now.unknown_cost_count, 'unknown cost')}` : undefined}
            />
            <Stat name="Answered here" value={whole(now.here)} />
            <Stat
              name="Left the house"
              value={<span class={now.left > 0 ? 'has-left' : ''}>{whole(now.left)}</span>}
              note={now.left === 0 ? 'nothing' : undefined}
            />
          </dl>
          {now.budgets.map(({ period, limit_usd, spent_usd }) => (
            <div key={period} class="stack tight small">
              <span class="row">
                Budget {periods[period]}
                <span class="end">
                  {usd(spent_usd)} of {usd(limit_usd)}, {percent(limit_usd === 0 ? 1 : spent_usd / limit_usd)}
                </span>
              </span>
              <Progress share={limit_usd === 0 ? 1 : spent_usd / limit_usd} label={`Budget ${periods[period]}`} />
            </div>
          ))}
          {waiting > 0 && <p class="small soft">{counted(waiting, 'item')} of batches for quiet hours</p>}
        </div>
      )}
    </section>
  );
}
