import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import { part } from '../../api/live.ts';
import { Button } from '../../parts/button.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';
import { counted } from '../../text/format.ts';

const providers = part('providers');

/** Whether anything may leave the house, and a press that ends it. */
export function CloudSwitch() {
  const failure = useSignal<Failure | null>(null);
  const others = (providers.value ?? []).filter(({ type }) => type !== 'local');
  const on = others.filter(({ enabled }) => enabled);
  // What the file has off stays so: only what was switched by hand goes back.
  const byHand = others.filter(({ enabled_by }) => enabled_by === 'request');
  const switchAll = async (enabled: boolean, which: typeof others) => {
    failure.value = null;
    try {
      for (const { id } of which) {
        await ask(`api/v1/providers/${encodeURIComponent(id)}`, { method: 'PATCH', body: { enabled } });
      }
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  if (others.length === 0) {
    return (
      <Notice kind="good" title="Nothing can leave the house">
        <p>No provider is configured; everything is answered on this machine.</p>
      </Notice>
    );
  }
  return (
    <>
      {failure.value && <FailureNotice title="Not every provider was switched" failure={failure.value} />}
      {on.length === 0 ? (
        <Notice kind="good" title="Nothing can leave the house">
          <p>
            Every provider is switched off{byHand.length > 0 ? ', by hand until the server starts anew' : ''}. To keep
            it so, set <code>global: {'{ cloud: forbid }'}</code>.
          </p>
          {byHand.length > 0 && (
            <div class="row">
              <Button onPress={() => switchAll(true, byHand)}>Allow cloud again</Button>
            </div>
          )}
        </Notice>
      ) : (
        <Notice kind="info" title="Requests that are marked for it may leave the house">
          <p>
            {counted(on.length, 'provider')} may be asked: {on.map(({ display_name }) => display_name).join(', ')}. What
            is not marked stays here.
          </p>
          <div class="row">
            <Button icon="lock" kind="danger" onPress={() => switchAll(false, on)}>
              Forbid cloud
            </Button>
          </div>
        </Notice>
      )}
    </>
  );
}
