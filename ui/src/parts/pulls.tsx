import { useSignal } from '@preact/signals';
import { ask } from '../api/api.ts';
import { type Failure, failureOf } from '../api/failure.ts';
import { part } from '../api/live.ts';
import { type Asked, asked, beginPull, forgetAsked } from '../api/pulling.ts';
import type { Pull } from '../api/types.ts';
import { fileSize, timeLeft } from '../text/format.ts';
import { Button } from './button.tsx';
import { FailureNotice } from './notice.tsx';
import { Progress } from './stat.tsx';

const pulls = part('pulls');
const words = {
  queued: 'waits for its turn',
  waiting: 'waits',
  downloading: 'arrives',
  verifying: 'is checked',
  done: 'is here',
  failed: 'failed',
  cancelled: 'was stopped',
  resumable: 'was interrupted',
} as const;

/** What is on its way here, and what did not arrive. */
export function Pulls() {
  const open = (pulls.value ?? []).filter(({ state }) => state !== 'done');
  if (open.length + asked.value.length === 0) return null;
  return (
    <section class="card" aria-labelledby="models-pulls">
      <header>
        <h2 id="models-pulls">On the way</h2>
      </header>
      <ul class="plain stack">
        {asked.value.map((one) => (
          <AskedRow key={`${one.name} ${one.quantization}`} asked={one} />
        ))}
        {open.map((pull) => (
          <PullRow key={pull.id} pull={pull} />
        ))}
      </ul>
    </section>
  );
}

function AskedRow({ asked: one }: { asked: Asked }) {
  const { name, quantization, failure } = one;
  if (failure === null)
    return (
      <li class="row small" role="status">
        <span class="spin" /> {name}: asking the hub and reading the header
      </li>
    );
  return (
    <li>
      <FailureNotice title={`${name} is not pulled`} failure={failure}>
        {failure.code === 'insufficient_memory' ? (
          <Button kind="danger" onPress={() => beginPull(name, quantization, true)}>
            Pull it anyway
          </Button>
        ) : (
          <Button icon="reload" onPress={() => beginPull(name, quantization)}>
            Try again
          </Button>
        )}
        <Button kind="quiet" onPress={() => forgetAsked(one)}>
          Dismiss
        </Button>
      </FailureNotice>
    </li>
  );
}

function PullRow({ pull }: { pull: Pull }) {
  const failure = useSignal<Failure | null>(null);
  const isRunning = ['queued', 'waiting', 'downloading', 'verifying'].includes(pull.state);
  const cancel = async (discard: boolean) => {
    failure.value = null;
    try {
      await ask(`api/v1/models/pull/${encodeURIComponent(pull.id)}`, { method: 'DELETE', query: { discard } });
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  const facts = [
    `${fileSize(pull.received_bytes)} of ${fileSize(pull.total_bytes)}`,
    pull.bytes_per_second !== null && `${fileSize(pull.bytes_per_second)}/s`,
    pull.eta_seconds !== null && `${timeLeft(pull.eta_seconds)} left`,
  ];
  return (
    <li class="stack tight" data-pull={pull.model}>
      <div class="row">
        <strong class="cut">{pull.model}</strong>
        <span class="small soft">
          {words[pull.state]}, {pull.percent} %
        </span>
        <span class="end row">
          {!isRunning && (
            <Button icon="reload" onPress={() => beginPull(pull.name, pull.quantization)}>
              Go on
            </Button>
          )}
          {isRunning && (
            <Button icon="stop" onPress={() => cancel(false)}>
              Stop
            </Button>
          )}
          <Button
            kind="quiet"
            icon="trash"
            label={`Delete what arrived of ${pull.model}`}
            onPress={() => cancel(true)}
          />
        </span>
      </div>
      <Progress share={pull.total_bytes === 0 ? null : pull.received_bytes / pull.total_bytes} label={pull.model} />
      <p class="small soft">{facts.filter(Boolean).join(' · ')}</p>
      {pull.plan && <p class={`small ${pull.plan.fits ? 'soft' : 'reason'}`}>{pull.plan.message}</p>}
      {pull.notes.map((note) => (
        <p key={note} class="small soft">
          {note}
        </p>
      ))}
      {pull.error && (
        <FailureNotice
          title="It did not arrive"
          failure={{ ...pull.error, status: 0, retryAfterSeconds: null, code: pull.error.code }}
        />
      )}
      {failure.value && <FailureNotice title="That did not work" failure={failure.value} />}
    </li>
  );
}
