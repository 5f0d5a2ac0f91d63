import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import type { CircuitBreakers, LimitsOfProvider, ProviderLight as Provider, ProviderTest } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';
import { ProviderLight } from '../../parts/provider-light.tsx';
import { Fact, Progress } from '../../parts/stat.tsx';
import { duration, moment, whole } from '../../text/format.ts';

const limitNames = {
  requests_per_minute: 'Requests of the minute',
  tokens_per_minute: 'Tokens of the minute',
  requests_per_day: 'Requests of the day',
} as const;
const circuitWords = { closed: 'lets calls through', open: 'rests', half_open: 'tries one call' } as const;

/** One provider: how it is, what is left, and what can be done about it. */
export function ProviderCard({
  provider,
  circuit,
  limits,
}: {
  provider: Provider;
  /** Null: it has none, or it is not known so far. */
  circuit: CircuitBreakers['circuit_breakers'][string] | null;
  limits: LimitsOfProvider;
}) {
  const { id, display_name: name, type, enabled } = provider;
  const failure = useSignal<Failure | null>(null);
  const tested = useSignal<ProviderTest | null>(null);
  const tell = async (work: () => Promise<unknown>) => {
    failure.value = null;
    tested.value = null;
    try {
      await work();
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  const path = `api/v1/providers/${encodeURIComponent(id)}`;
  const test = () =>
    tell(async () => {
      tested.value = await ask<ProviderTest>(`${path}/test`, { method: 'POST' });
    });
  return (
    <section class="card stack" aria-label={name} data-provider={id}>
      <header>
        <h2>{name}</h2>
        {type !== 'local' && <span class="soft small end">{type}</span>}
      </header>
      <p class="small">
        <ProviderLight provider={provider} isNamed={false} />
        {provider.enabled_by === 'request' && (
          <span class="soft"> Switched {enabled ? 'on' : 'off'} by hand, against the configuration.</span>
        )}
      </p>
      <dl class="stats small">
        {provider.latency_ms !== null && <Fact name="First content after" text={duration(provider.latency_ms)} />}
        {circuit && <Fact name="Circuit breaker" text={circuitWords[circuit.state]} />}
        {circuit && circuit.failure_count > 0 && <Fact name="Failures seen" text={whole(circuit.failure_count)} />}
      </dl>
      {Object.entries(limitNames).map(([kind, label]) => {
        const limit = limits[kind as keyof typeof limitNames];
        return limit && <Headroom key={kind} label={label} limit={limit} />;
      })}
      {failure.value && <FailureNotice title="That did not work" failure={failure.value} />}
      {tested.value && <TestNotice test={tested.value} />}
      {type !== 'local' && (
        <div class="row">
          <Button label={`Test ${name}`} onPress={test}>
            Test
          </Button>
          {circuit && circuit.state !== 'closed' && (
            <Button
              label={`Let calls through to ${name}`}
              onPress={() => tell(() => ask(`${path}/reset`, { method: 'POST' }))}
            >
              Let calls through
            </Button>
          )}
          <Button
            kind="quiet"
            label={`Switch ${enabled ? 'off' : 'on'} ${name}`}
            onPress={() => tell(() => ask(path, { method: 'PATCH', body: { enabled: !enabled } }))}
          >
            {enabled ? 'Switch off' : 'Switch on'}
          </Button>
        </div>
      )}
    </section>
  );
}

function Headroom({ label, limit }: { label: string; limit: NonNullable<LimitsOfProvider['requests_per_day']> }) {
  return (
    <div class="stack tight small">
      <span class="row">
        {label}
        <span class="end" title={`All of it again at ${moment(limit.reset_at)}`}>
          {whole(limit.remaining)} of {whole(limit.limit)} left
        </span>
      </span>
      <Progress share={limit.limit === 0 ? 1 : limit.used / limit.limit} label={label} />
    </div>
  );
}

function TestNotice({ test }: { test: ProviderTest }) {
  if (test.answered) {
    return (
      <Notice kind="good" isNew>
        It answers{test.latency_ms === null ? '.' : `, the last time after ${duration(test.latency_ms)}.`}
      </Notice>
    );
  }
  return (
    <Notice kind="bad" isNew>
      {test.error ?? 'It does not answer.'}
    </Notice>
  );
}
