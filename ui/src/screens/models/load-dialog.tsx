import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf, wasAborted } from '../../api/failure.ts';
import { live } from '../../api/live.ts';
import { useLoaded } from '../../api/load.ts';
import type { Model, PlanAnswer } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { SelectField, SlideField, TickField } from '../../parts/field.tsx';
import { modelPath } from '../../parts/model-actions.tsx';
import { FailureNotice, Notice, Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { nowMs } from '../../text/clock.ts';
import { contextTokens, duration, fileSize, memory } from '../../text/format.ts';
import { FitPanel } from './fit-panel.tsx';
import { contextSteps, type LoadWish, loadBody, planQuery } from './load-wish.ts';

const keepAlives = [
  { value: '', text: 'as configured' },
  { value: '5m', text: '5 minutes' },
  { value: '30m', text: '30 minutes' },
  { value: '4h', text: '4 hours' },
  { value: '-1', text: 'until it is unloaded' },
] as const;

/** What came of a load. */
interface LoadAnswer {
  model: Model;
  plan: { expected_bytes: { total: number } } | null;
  load_ms: number;
}

/** Chooses how a model is loaded; whether that fits is the server's to say, with each change. */
export function LoadDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const steps = contextSteps(model.context_length);
  const wish = useSignal<LoadWish>({
    quantization: model.loaded ? model.quantization : '',
    contextTokens: model.context_length_loaded,
    parallel: model.slots,
    kvType: '',
    preferGpu: null,
    keepAlive: '',
    pin: model.pinned,
  });
  const change = (changed: Partial<LoadWish>) => {
    wish.value = { ...wish.value, ...changed };
  };
  const plan = useLoaded<PlanAnswer>(modelPath(model.name, '/plan'), planQuery(wish.value));
  const failure = useSignal<Failure | null>(null);
  const result = useSignal<LoadAnswer | null>(null);
  const beganMs = useSignal<number | null>(null);
  const attempt = useRef<AbortController | null>(null);
  const load = async (force: boolean) => {
    failure.value = null;
    beganMs.value = Date.now();
    attempt.current = new AbortController();
    try {
      const body = loadBody(wish.value, force);
      const { signal } = attempt.current;
      result.value = await ask<LoadAnswer>(modelPath(model.name, '/load'), { method: 'POST', body, signal });
    } catch (thrown) {
      if (!wasAborted(thrown)) failure.value = failureOf(thrown);
    } finally {
      beganMs.value = null;
    }
  };
  useEffect(() => () => attempt.current?.abort(), []);
  if (result.value) return <Loaded answer={result.value} onClose={onClose} />;
  const planned = plan.value?.plan;
  const context = wish.value.contextTokens ?? planned?.context_length ?? steps.at(-1)!;
  const slots = wish.value.parallel ?? planned?.parallel ?? 1;
  const fits = plan.value?.fits ?? null;
  const seconds = beganMs.value === null ? null : Math.max(0, Math.floor((nowMs.value - beganMs.value) / 1_000));
  return (
    <Dialog
      title={`${model.loaded ? 'Settings of' : 'Load'} ${model.name}`}
      onClose={onClose}
      onSubmit={() => {
        if (fits && beganMs.value === null) void load(false);
      }}
      footer={
        <>
          {seconds !== null && (
            <span class="soft small" role="status">
              Loading for {seconds} s; it goes on when this is closed
            </span>
          )}
          {fits === false && (
            <Button kind="danger" busy={beganMs.value !== null} onPress={() => load(true)}>
              Load anyway
            </Button>
          )}
          <Button kind="primary" submits busy={beganMs.value !== null} off={fits !== true}>
            {model.loaded ? 'Load again' : 'Load'}
          </Button>
        </>
      }
    >
      <FitPanel answer={plan.value} isOld={plan.isLoading} onNearest={(nearest) => change(nearest)} />
      {plan.value === null && plan.isLoading && <Waiting what="The server is planning" />}
      <RetryNotice title="It cannot be planned" failure={plan.failure} onRetry={plan.reload} />
      {failure.value && <LoadFailure failure={failure.value} onForce={() => load(true)} />}
      {model.loaded && (
        <Notice>What it answers now may end first; then it is loaded again, and requests wait meanwhile.</Notice>
      )}
      <ContextField steps={steps} value={context} onChange={(contextTokens) => change({ contextTokens })} />
      <div class="load-fields">
        {model.variants.length > 1 && (
          <SelectField
            label="Quantization"
            value={wish.value.quantization}
            onChange={(quantization) => change({ quantization })}
            options={[
              { value: '', text: 'the best that fits' },
              ...model.variants.map((one) => ({
                value: one.quantization,
                text: `${one.quantization}, ${fileSize(one.size_bytes)}${one.fits === false ? ', too large now' : ''}`,
                off: one.reason !== null,
              })),
            ]}
          />
        )}
        <SelectField
          label="Answers at the same time"
          value={String(slots)}
          onChange={(parallel) => change({ parallel: Number(parallel) })}
          options={[...new Set([1, 2, 4, 8, slots])]
            .sort((a, b) => a - b)
            .map((value) => ({ value: String(value), text: String(value) }))}
        />
        <SelectField
          label="Cache"
          value={wish.value.kvType}
          onChange={(kvType) => change({ kvType })}
          options={[
            { value: '', text: '16 bits, 8 where it must' },
            { value: 'f16', text: '16 bits' },
            { value: 'q8_0', text: '8 bits, half the memory' },
          ]}
        />
        <SelectField
          label="Stays idle for"
          value={wish.value.keepAlive}
          onChange={(keepAlive) => change({ keepAlive })}
          options={keepAlives}
        />
      </div>
      {(live.value?.memory.gpus.length ?? 0) > 0 && (
        <TickField checked={wish.value.preferGpu ?? true} onChange={(preferGpu) => change({ preferGpu })}>
          Use the GPU where it helps
        </TickField>
      )}
      <TickField checked={wish.value.pin} onChange={(pin) => change({ pin })}>
        Pin it: neither idle time nor another model ends it
      </TickField>
    </Dialog>
  );
}

function ContextField({
  steps,
  value,
  onChange,
}: {
  steps: readonly number[];
  value: number;
  onChange: (tokens: number) => void;
}) {
  // What the server chose may lie between two steps.
  const index = Math.max(
    0,
    steps.findLastIndex((tokens) => tokens <= value),
  );
  return (
    <SlideField
      label="Context"
      text={`${contextTokens(value)} tokens for each answer`}
      min={0}
      max={steps.length - 1}
      step={1}
      value={index}
      onChange={(chosen) => onChange(steps[chosen]!)}
    />
  );
}

/** Why it was not loaded, and what helps: to end somebody else, or to try it all the same. */
function LoadFailure({ failure, onForce }: { failure: Failure; onForce: () => unknown }) {
  const idle = (live.value?.models ?? []).filter(
    ({ state, active_requests }) => state === 'loaded' && active_requests === 0,
  );
  const unload = (name: string) => ask(modelPath(name, '/unload'), { method: 'POST' }).catch(() => {});
  const isMemory = failure.code === 'insufficient_memory' || failure.code === 'memory_pressure';
  return (
    <FailureNotice title="It was not loaded" failure={failure}>
      {isMemory &&
        idle.map(({ name, memory_bytes }) => (
          <Button key={name} onPress={() => unload(name)}>
            Unload {name}, {memory(memory_bytes)}
          </Button>
        ))}
      {failure.code === 'insufficient_memory' && (
        <Button kind="danger" onPress={onForce}>
          Load anyway
        </Button>
      )}
    </FailureNotice>
  );
}

/** What was estimated, and what it took. */
function Loaded({ answer, onClose }: { answer: LoadAnswer; onClose: () => void }) {
  const { model, plan, load_ms } = answer;
  return (
    <Dialog
      title={`${model.name} is loaded`}
      onClose={onClose}
      onSubmit={onClose}
      footer={
        <>
          <Button onPress={onClose}>Close</Button>
          <a class="button primary" href={`#/playground?model=${encodeURIComponent(model.name)}`}>
            Chat with it
          </a>
        </>
      }
    >
      <dl class="stats">
        <div class="stat">
          <dt>Estimated</dt>
          <dd>{memory(plan?.expected_bytes.total)}</dd>
        </div>
        <div class="stat">
          <dt>Used</dt>
          <dd>{memory(model.memory_bytes)}</dd>
          <dd class="note">grows with the first long prompt</dd>
        </div>
        <div class="stat">
          <dt>Took</dt>
          <dd>{duration(load_ms)}</dd>
        </div>
      </dl>
      {model.notes.map((note) => (
        <Notice key={note}>{note}</Notice>
      ))}
    </Dialog>
  );
}
