import './requests.css';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useLoaded } from '../../api/load.ts';
import type { CostEntry } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { isNarrow } from '../../parts/narrow.ts';
import { Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { Fact } from '../../parts/stat.tsx';
import { counted, duration, moment, none, usd, whole } from '../../text/format.ts';

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
        <Entries entries={value.entries} />
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

/** A table; on a phone two lines for each, and the rest behind a press. */
function Entries({ entries }: { entries: readonly CostEntry[] }) {
  if (isNarrow.value) {
    return (
      <ul class="plain requests-cards">
        {entries.map((entry) => (
          <EntryCard key={entry.attempt_id} entry={entry} />
        ))}
      </ul>
    );
  }
  return (
    <table class="table">
      <thead>
        <tr>
          <th>Time</th>
          <th>Key</th>
          <th>Model</th>
          <th>Outcome</th>
          {numbers.map(({ name, short, help }) => (
            <th key={name} class="right">
              <abbr title={help}>{short}</abbr>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => (
          <tr key={entry.attempt_id} data-request={entry.request_id} title={entry.request_id}>
            <td class="nowrap">{moment(entry.timestamp)}</td>
            <td>{entry.key_name ?? entry.key}</td>
            <td>
              <Answerer entry={entry} />
            </td>
            <td>
              <Outcome entry={entry} />
            </td>
            {numbers.map(({ name, of }) => (
              <td key={name} class="right nowrap">
                {of(entry)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const about = ({ estimated }: CostEntry) => (estimated ? '≈ ' : '');

/** What a row has in figures: a name for a card, a short one for a column, and what it is. */
const numbers: readonly { name: string; short: string; help: string; of: (entry: CostEntry) => string }[] = [
  {
    name: 'Prompt tokens',
    short: 'Prompt',
    help: 'Tokens of the prompt',
    of: (entry) => `${about(entry)}${whole(entry.input_tokens)}`,
  },
  {
    name: 'Answer tokens',
    short: 'Answer',
    help: 'Tokens of the answer',
    of: (entry) => `${about(entry)}${whole(entry.output_tokens)}`,
  },
  {
    name: 'First token after',
    short: 'First token',
    help: 'Time until the first token of the answer',
    of: (entry) => duration(entry.first_content_ms),
  },
  { name: 'Took', short: 'Total', help: 'Time until the end of the answer', of: (entry) => duration(entry.latency_ms) },
  {
    name: 'Cost',
    short: 'Cost',
    help: 'What a provider was paid; this machine costs nothing',
    of: (entry) => (entry.left_house ? usd(entry.cost) : none),
  },
];

function EntryCard({ entry }: { entry: CostEntry }) {
  return (
    <li data-request={entry.request_id}>
      <details class="fold">
        <summary>
          <span class="row">
            <strong>
              <Answerer entry={entry} />
            </strong>
            <span class="end">
              <Outcome entry={entry} />
            </span>
          </span>
          <span class="row soft small">
            {moment(entry.timestamp)}
            <span class="end">
              {about(entry)}
              {counted(entry.output_tokens ?? 0, 'token')} in {duration(entry.latency_ms)}
            </span>
          </span>
        </summary>
        <dl class="stats small">
          {[
            { name: 'Key', text: entry.key_name ?? entry.key },
            ...numbers.map(({ name, of }) => ({ name, text: of(entry) })),
            { name: 'Request', text: entry.request_id },
          ].map(({ name, text }) => (
            <Fact key={name} name={name} text={text} />
          ))}
        </dl>
      </details>
    </li>
  );
}

function Answerer({ entry }: { entry: CostEntry }) {
  return (
    <span class="row">
      {entry.model}
      {entry.left_house && <span class="chip away">at {entry.provider}</span>}
    </span>
  );
}

function Outcome({ entry: { error, outcome } }: { entry: CostEntry }) {
  return error === null ? <span>{outcome}</span> : <span class="chip bad">{error.replaceAll('_', ' ')}</span>;
}
