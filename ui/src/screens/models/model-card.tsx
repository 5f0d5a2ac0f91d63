import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import { live } from '../../api/live.ts';
import type { LiveModel, Model } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { modelPath, UnloadButton } from '../../parts/model-actions.tsx';
import { StateChips } from '../../parts/model-chips.tsx';
import { FailureNotice } from '../../parts/notice.tsx';
import { to } from '../../shell/route.ts';
import { contextTokens, duration, fileSize, memory, parameters, rate } from '../../text/format.ts';
import { DeleteDialog } from './delete-dialog.tsx';
import { LoadDialog } from './load-dialog.tsx';

/** One model on disk, with what can be done with it. */
export function ModelCard({ model, onChange }: { model: Model; onChange: () => void }) {
  const dialog = useSignal<'load' | 'delete' | null>(null);
  const show = (which: typeof dialog.value) => () => {
    dialog.value = which;
  };
  const [openLoad, openDelete, close] = [show('load'), show('delete'), show(null)];
  const isIn = model.state === 'loaded';
  const isMoving = model.state === 'loading' || model.state === 'unloading';
  return (
    <li class="card model-card" data-model={model.name}>
      <div class="about">
        <div class="head">
          <h2>{model.name}</h2>
          {isIn || isMoving ? <StateChips model={model as LiveModel} /> : <FitChip model={model} />}
        </div>
        <p class="small soft">{factsOf(model)}</p>
        {model.reason && <p class="small reason">{model.reason}</p>}
        {model.advice && <p class="small soft">{model.advice.message}</p>}
        {isIn && <InMemory model={model} />}
      </div>
      <div class="acts">
        {isIn && (
          <>
            <a class="button primary" href={to('playground', { model: model.name })}>
              Chat
            </a>
            <UnloadButton model={model} />
            <PinButton model={model} />
            <Button icon="settings" label={`Settings of ${model.name}`} onPress={openLoad} />
          </>
        )}
        {!isIn && model.state !== 'invalid' && (
          <Button busy={isMoving} label={`Load ${model.name}`} onPress={openLoad}>
            {model.state === 'loading' ? 'Loading' : model.state === 'unloading' ? 'Ending' : 'Load'}
          </Button>
        )}
        <Button kind="quiet" icon="trash" label={`Delete ${model.name}`} onPress={openDelete} />
      </div>
      {dialog.value === 'load' && <LoadDialog model={model} onClose={close} />}
      {dialog.value === 'delete' && <DeleteDialog model={model} onClose={close} onDone={onChange} />}
    </li>
  );
}

function factsOf(model: Model): string {
  const facts = [
    model.parameters !== null && `${parameters(model.parameters)} parameters`,
    `${model.quantization}, ${fileSize(model.size_bytes)}`,
    model.context_length !== null && `made for ${contextTokens(model.context_length)} tokens`,
    model.variants.length > 1 && `also ${othersOf(model)}`,
  ];
  return facts.filter(Boolean).join(' · ');
}

function othersOf({ variants, quantization }: Model): string {
  return variants
    .filter((variant) => variant.quantization !== quantization)
    .map((variant) => variant.quantization)
    .join(', ');
}

/** Whether a load would work now, in the server's words and numbers. */
function FitChip({ model }: { model: Model }) {
  if (model.state === 'invalid') return <span class="chip bad">cannot be used</span>;
  if (model.state === 'quarantined') return <span class="chip bad">rests after crashes</span>;
  const shown = model.variants.find(({ quantization }) => quantization === model.quantization);
  if (!shown || shown.expected_memory_bytes === null) return null;
  const bytes = memory(shown.expected_memory_bytes);
  return shown.fits ? (
    <span class="chip good">fits, needs {bytes}</span>
  ) : (
    <span class="chip warn">
      needs {bytes}, {memory(live.value?.memory.free_bytes)} free
    </span>
  );
}

/** What was said before it was loaded, and what became of it. */
function InMemory({ model }: { model: Model }) {
  const facts = [
    model.planned_memory_bytes !== null &&
      model.planned_memory_bytes !== undefined &&
      `estimated ${memory(model.planned_memory_bytes)}, used ${memory(model.memory_bytes)}`,
    model.context_length_loaded !== null &&
      `${model.slots} × ${contextTokens(model.context_length_loaded)} tokens of context`,
    model.load_ms !== null && `loaded in ${duration(model.load_ms)}`,
    model.calibration && `${rate(model.calibration.decode_tokens_per_second)} tokens/s when alone`,
    model.gpu !== null && model.gpu !== 'off' && `${model.gpu_layers} layers on ${model.gpu_device ?? model.gpu}`,
  ];
  return (
    <>
      <p class="small">{facts.filter(Boolean).join(' · ')}</p>
      {[...model.notes, ...(model.gpu_reason ? [model.gpu_reason] : [])].map((note) => (
        <p key={note} class="small soft">
          {note}
        </p>
      ))}
    </>
  );
}

/** Whether it stays. The settings that it has go with it, so that nothing is loaded anew. */
function PinButton({ model }: { model: Model }) {
  const failure = useSignal<Failure | null>(null);
  const turn = async () => {
    failure.value = null;
    try {
      await ask(modelPath(model.name, '/load'), {
        method: 'POST',
        body: {
          quantization: model.quantization,
          context_length: model.context_length_loaded,
          parallel: model.slots,
          prefer_gpu: (model.gpu_layers ?? 0) > 0,
          pin: !model.pinned,
        },
      });
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <>
      <Button icon="pin" onPress={turn}>
        {model.pinned ? 'Unpin' : 'Pin'}
      </Button>
      {failure.value && <FailureNotice title="It was not changed" failure={failure.value} />}
    </>
  );
}
