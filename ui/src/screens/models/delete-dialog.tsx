import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import type { Model } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { bound, SelectField } from '../../parts/field.tsx';
import { modelPath } from '../../parts/model-actions.tsx';
import { FailureNotice } from '../../parts/notice.tsx';
import { fileSize } from '../../text/format.ts';

/** Asks before files go. */
export function DeleteDialog({ model, onClose, onDone }: { model: Model; onClose: () => void; onDone: () => void }) {
  const which = useSignal('');
  const failure = useSignal<Failure | null>(null);
  const bytes = model.variants
    .filter(({ quantization }) => which.value === '' || quantization === which.value)
    .reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  const remove = async () => {
    failure.value = null;
    const name = which.value === '' ? model.name : `${model.name}:${which.value}`;
    try {
      await ask(modelPath(name), { method: 'DELETE' });
      onDone();
      onClose();
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <Dialog
      title={`Delete ${model.name}?`}
      onClose={onClose}
      footer={
        <>
          <Button onPress={onClose}>Keep it</Button>
          <Button kind="danger" icon="trash" onPress={remove}>
            Delete {fileSize(bytes)}
          </Button>
        </>
      }
    >
      <p>
        The files leave the disk for good{model.loaded ? ', and what it answers now ends first' : ''}. To have it again,
        pull it again.
      </p>
      {model.variants.length > 1 && (
        <SelectField
          label="What of it"
          {...bound(which)}
          options={[
            { value: '', text: 'all of it' },
            ...model.variants.map(({ quantization, size_bytes }) => ({
              value: quantization,
              text: `${quantization}, ${fileSize(size_bytes)}`,
            })),
          ]}
        />
      )}
      {failure.value && <FailureNotice title="It was not deleted" failure={failure.value} />}
    </Dialog>
  );
}
