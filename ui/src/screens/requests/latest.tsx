import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useLoaded } from '../../api/load.ts';
import type { CostEntry } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { duration, moment, none, usd, whole } from '../../text/format.ts';

/** Shown at first, and each time that more are wanted: a phone shows few at a time. */
const fewCount = 15;
const moreCount = 50;
/** Whoever wants more of them takes `/api/v1/costs/entries` as CSV. */
const mostCount = 500;
/** A row is written a little after its request has ended. */
const writtenMs = 700;

/** What was answered before, the latest first. `endedCount` changes as requests begin and end. */
export function Latest({ endedCount }: { endedCount: number }) {
  const wanted = useSignal(fewCount);
  const { value, failure, reload } = useLoaded<{ entries: CostEntry[]; total: number }>('api/v1/costs/entries', {
    local: true,
    limit: wanted.value,
  });
  useEffect(() => {
    const timer = setTimeout(reload, writtenMs);
    return () => clearTimeout(timer);
  }, [endedCount, reload]);
  return (
    <section class="card" aria-labelledby="requests-latest">
      <header>
        <h2 id="requests-latest">Before</h2>
        <span class="soft small end">{value && `${whole(value.total)} this month`}</span>
      </header>
      <RetryNotice title="What was answered is not known" failure={failure} onRetry={reload} />
      {value === null ? (
        failure === null && <Waiting what="Reading the ledger" />
      ) : value.entries.length === 0 ? (
        <p class="soft small">Nothing was asked this month.</p>
      ) : (
        <table class="table folds">
          <thead>
            <tr>
              <th>At</th>
              <th>Key</th>
              <th>Model</th>
              <th>Outcome</th>
              <th class="right">Tokens in, out</th>
              <th class="right">First, whole</th>
              <th class="right">Cost</th>
            </tr>
          </thead>
          <tbody>
            {value.entries.map((entry) => (
              <Row key={entry.attempt_id} entry={entry} />
            ))}
          </tbody>
        </table>
      )}
      {value !== null && value.total > value.entries.length && wanted.value < mostCount && (
        <Button
          onPress={() => {
            wanted.value = Math.min(mostCount, wanted.value + moreCount);
          }}
        >
          Show more
        </Button>
      )}
    </section>
  );
}

function Row({ entry }: { entry: CostEntry }) {
  const about = entry.estimated ? '≈ ' : '';
  return (
    <tr data-request={entry.request_id} title={entry.request_id}>
      <td data-name="At" class="nowrap">
        {moment(entry.timestamp)}
      </td>
      <td data-name="Key">{entry.key_name ?? entry.key}</td>
      <td data-name="Model">
        <span class="row">
          {entry.model}
          {entry.left_house && <span class="chip away">at {entry.provider}</span>}
        </span>
      </td>
      <td data-name="Outcome">
        {entry.error === null ? entry.outcome : <span class="chip bad">{entry.error.replaceAll('_', ' ')}</span>}
      </td>
      <td data-name="Tokens in, out" class="right">
        {about}
        {whole(entry.input_tokens)}, {whole(entry.output_tokens)}
      </td>
      <td data-name="First, whole" class="right">
        {duration(entry.first_content_ms)}, {duration(entry.latency_ms)}
      </td>
      <td data-name="Cost" class="right">
        {entry.left_house ? usd(entry.cost) : none}
      </td>
    </tr>
  );
}
