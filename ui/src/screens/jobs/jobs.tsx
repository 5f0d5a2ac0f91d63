import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import { part } from '../../api/live.ts';
import { useLoaded } from '../../api/load.ts';
import type { Job, JobList } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { FailureNotice, Notice, Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { Progress } from '../../parts/stat.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { counted, moment, timeLeft, usd, whole } from '../../text/format.ts';

const items = part('jobs');
const pauses: Readonly<Record<string, string>> = {
  max_slots: 'No slot is given to batches: jobs.max_slots is 0.',
  window: 'It is not the time of day for batches: jobs.window.',
  memory: 'The memory of the machine is short.',
  temperature: 'The machine is hot.',
  battery: 'The machine runs on its battery.',
  ups: 'The machine runs on its UPS.',
};

/** Batches: how far they are, when they will have ended, and what is in their way. */
export default function Jobs() {
  // What waits and runs is told by itself; the batches are asked for again as it changes.
  const now = items.value;
  const { value, failure, reload } = useLoaded<JobList>('api/v1/jobs', {}, [now?.pending, now?.running]);
  const isOpen = value?.jobs.some(({ state }) => state !== 'ended') ?? false;
  return (
    <ScreenFrame
      title="Jobs"
      summary={now && `${counted(now.running, 'request')} of batches at work, ${whole(now.pending)} waiting`}
    >
      <RetryNotice title="The batches are not known" failure={failure} onRetry={reload} />
      {value === null && failure === null && <Waiting what="Asking the server" />}
      {value && value.paused !== null && isOpen && (
        <Notice kind="warn" title="Batches rest">
          {pauses[value.paused] ?? `The reason: ${value.paused}.`}
        </Notice>
      )}
      {value && value.jobs.length === 0 && (
        <section class="card empty">
          <h2>No batch so far</h2>
          <p>
            Batches are answered while nobody else needs the machine. <code>hearth batch run</code> makes one over a
            folder of texts; the SDKs of Anthropic and OpenAI make them too.
          </p>
        </section>
      )}
      {value?.jobs.map((job) => (
        <JobCard key={job.id} job={job} onChange={reload} />
      ))}
      {value?.has_more && <p class="soft small">Older ones are not shown.</p>}
    </ScreenFrame>
  );
}

function JobCard({ job, onChange }: { job: Job; onChange: () => void }) {
  const failure = useSignal<Failure | null>(null);
  const { id, counts, state, models } = job;
  const done = counts.total - counts.processing;
  const cancel = async () => {
    failure.value = null;
    try {
      await ask(`api/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
      onChange();
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <section class="card stack" aria-label={`Batch ${id}`} data-job={id}>
      <header>
        <h2 class="small mono">{id}</h2>
        <StateChip job={job} />
        <span class="soft small end">
          {job.api}, made {moment(job.created_at)}
        </span>
      </header>
      <div class="stack tight small">
        <span class="row">
          <span>
            {whole(done)} of {whole(counts.total)}
          </span>
          <Outcomes counts={counts} />
          <span class="end soft">{whenOf(job)}</span>
        </span>
        <Progress share={counts.total === 0 ? 1 : done / counts.total} label={`Batch ${id}`} />
        <span class="soft">{models.join(', ')}</span>
        {job.cloud && (
          <span>
            {counted(job.cloud.requests, 'request')} in batches of providers,{' '}
            {job.cloud.most_usd === null ? 'for a price that nobody knows' : `for ${usd(job.cloud.most_usd)} at most`}
          </span>
        )}
      </div>
      {failure.value && <FailureNotice title="It was not cancelled" failure={failure.value} />}
      {state === 'in_progress' && (
        <div class="row">
          <Button icon="stop" label={`Cancel batch ${id}`} onPress={cancel}>
            Cancel
          </Button>
        </div>
      )}
    </section>
  );
}

function StateChip({ job: { state, started_at: startedAt, counts } }: { job: Job }) {
  if (state === 'canceling') return <span class="chip warn">ends</span>;
  if (state === 'ended') {
    const isWhole = counts.succeeded === counts.total;
    return <span class={`chip ${isWhole ? 'good' : 'warn'}`}>{isWhole ? 'done' : 'ended'}</span>;
  }
  return <span class="chip">{startedAt === null ? 'waits' : 'at work'}</span>;
}

function Outcomes({ counts: { errored, canceled, expired } }: Pick<Job, 'counts'>) {
  return (
    <>
      {errored > 0 && <span class="chip bad">{whole(errored)} failed</span>}
      {canceled > 0 && <span class="chip">{whole(canceled)} cancelled</span>}
      {expired > 0 && <span class="chip warn">{whole(expired)} too late</span>}
    </>
  );
}

function whenOf({ state, ended_at: endedAt, left_seconds: left, expires_at: expiresAt }: Job): string {
  if (state === 'ended') return `ended ${moment(endedAt)}`;
  if (left !== null) return `about ${timeLeft(left)} left`;
  return `has time until ${moment(expiresAt)}`;
}
