import { useSignal } from '@preact/signals';
import { ask } from '../api/api.ts';
import { type Failure, failureOf } from '../api/failure.ts';
import type { LiveModel } from '../api/types.ts';
import { timeLeft } from '../text/format.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { FailureNotice } from './notice.tsx';

/** A load that takes longer than this is not thrown away by one press. */
const longLoadMs = 20_000;

/** The path of a model in the API; a name may have a slash. */
export function modelPath(name: string, rest = ''): string {
  return `api/v1/models/${encodeURIComponent(name)}${rest}`;
}

/** Ends a model, and asks first where loading it again takes long or somebody is waiting for its answer. */
export function UnloadButton({ model }: { model: Pick<LiveModel, 'name' | 'load_ms' | 'active_requests'> }) {
  const isAsking = useSignal(false);
  const failure = useSignal<Failure | null>(null);
  const unload = async () => {
    failure.value = null;
    try {
      await ask(modelPath(model.name, '/unload'), { method: 'POST' });
      isAsking.value = false;
    } catch (thrown) {
      failure.value = failureOf(thrown);
      isAsking.value = true;
    }
  };
  const active = model.active_requests ?? 0;
  const loadMs = model.load_ms ?? 0;
  const close = () => {
    isAsking.value = false;
  };
  return (
    <>
      <Button
        label={`Unload ${model.name}`}
        onPress={() => {
          if (active === 0 && loadMs < longLoadMs) return unload();
          isAsking.value = true;
          return undefined;
        }}
      >
        Unload
      </Button>
      {isAsking.value && (
        <Dialog
          title={`Unload ${model.name}?`}
          onClose={close}
          footer={
            <>
              <Button onPress={close}>Keep it</Button>
              <Button kind="danger" onPress={unload}>
                Unload
              </Button>
            </>
          }
        >
          {loadMs >= longLoadMs && (
            <p>Loading it again is expected to take {timeLeft(loadMs / 1_000)}, as it did the last time.</p>
          )}
          {active > 0 && <p>It is answering now. What runs may end first; new requests load it again.</p>}
          {failure.value && <FailureNotice title="It was not unloaded" failure={failure.value} />}
        </Dialog>
      )}
    </>
  );
}
