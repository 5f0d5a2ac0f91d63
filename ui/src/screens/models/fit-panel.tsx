import type { PlanAnswer } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { Notice } from '../../parts/notice.tsx';
import { contextTokens, counted, memory } from '../../text/format.ts';

/** Whether it fits, in the server's numbers. `isOld`: others are on their way. */
export function FitPanel({
  answer,
  isOld,
  onNearest,
}: {
  answer: PlanAnswer | null;
  isOld: boolean;
  onNearest: (settings: { contextTokens: number; parallel: number }) => void;
}) {
  if (answer === null) return null;
  const { plan, shortage, budget } = answer;
  const available = budget.available_bytes + budget.reclaimable_bytes;
  return (
    <div class={`fit-panel${isOld ? ' is-old' : ''}`} aria-live="polite">
      {plan && <PlanBar plan={plan} available={available} quantization={answer.quantization} />}
      {plan?.notes.map((note) => (
        <p key={note} class="small soft">
          {note}
        </p>
      ))}
      {budget.reclaimable_bytes > 0 && (
        <p class="small soft">
          Idle models hold {memory(budget.reclaimable_bytes)} of that; they are unloaded where it is needed.
        </p>
      )}
      {shortage && (
        <Notice kind="warn" title="It does not fit now">
          <p>
            It needs <strong>{memory(shortage.needed_bytes)}</strong>,{' '}
            <strong>{memory(shortage.available_bytes)}</strong> are free;{' '}
            <strong>{memory(shortage.shortfall_bytes)}</strong> are missing.
          </p>
          {shortage.nearest && (
            <div class="row">
              <Button
                onPress={() =>
                  onNearest({
                    contextTokens: shortage.nearest!.context_length,
                    parallel: shortage.nearest!.parallel,
                  })
                }
              >
                Use {contextTokens(shortage.nearest.context_length)} tokens,{' '}
                {counted(shortage.nearest.parallel, 'answer')} at a time
              </Button>
              <span class="soft">needs {memory(shortage.nearest.needed_bytes)}</span>
            </div>
          )}
        </Notice>
      )}
    </div>
  );
}

function PlanBar({
  plan,
  available,
  quantization,
}: {
  plan: NonNullable<PlanAnswer['plan']>;
  available: number;
  quantization: string;
}) {
  const { expected_bytes: expected } = plan;
  const weights = expected.mapped_weights + expected.weights + expected.repacked_weights;
  const rest = Math.max(0, expected.total - weights - expected.kv_cache);
  const whole = Math.max(available, expected.total);
  const parts = [
    { look: 'weights', name: `weights, ${quantization}`, bytes: weights },
    { look: 'cache', name: `cache, ${plan.kv_cache_type}`, bytes: expected.kv_cache },
    { look: 'work', name: 'work space', bytes: rest },
  ];
  return (
    <>
      <p class="row">
        <span>
          Needs <strong data-bytes={expected.total}>{memory(expected.total)}</strong>{' '}
          <span class="soft">of {memory(available)} that it may take</span>
        </span>
        <span class="end chip good">fits</span>
      </p>
      <div class="fit-bar" aria-hidden="true">
        {parts.map(({ look, bytes }) => (
          <span key={look} class={`segment ${look} model-0`} style={{ width: `${(bytes / whole) * 100}%` }} />
        ))}
      </div>
      <p class="small soft parts">
        {parts.map(({ look, name, bytes }) => (
          <span key={look} class="nowrap">
            <span class={`swatch small ${look} model-0`} aria-hidden="true" /> {name} {memory(bytes)}
          </span>
        ))}
        {plan.gpu_layers > 0 && (
          <span class="nowrap">
            {plan.gpu_layers} layers on the GPU, {memory(plan.gpu_memory_bytes)} there
          </span>
        )}
      </p>
    </>
  );
}
