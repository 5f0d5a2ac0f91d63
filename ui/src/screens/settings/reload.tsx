import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import type { ConfigReload } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';

/** Says what the file would change, and puts it into force. */
export function Reload({ onReload }: { onReload: () => void }) {
  const failure = useSignal<Failure | null>(null);
  const found = useSignal<{ result: ConfigReload; isDone: boolean } | null>(null);
  const reload = (isDone: boolean) => async () => {
    failure.value = null;
    found.value = null;
    try {
      const result = await ask<ConfigReload>('api/v1/config/reload', {
        method: 'POST',
        body: { validate_only: !isDone },
      });
      found.value = { result, isDone };
      if (isDone) onReload();
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <section class="card stack" aria-labelledby="settings-reload">
      <header>
        <h2 id="settings-reload">The file</h2>
      </header>
      <div class="row">
        <Button onPress={reload(false)}>What would change?</Button>
        <Button icon="reload" onPress={reload(true)}>
          Read it again
        </Button>
      </div>
      {failure.value && <FailureNotice title="It cannot be used; nothing was changed" failure={failure.value} />}
      {found.value && <Changes {...found.value} />}
    </section>
  );
}

function Changes({ result: { changes }, isDone }: { result: ConfigReload; isDone: boolean }) {
  const lines = [
    ['Providers that come', changes.providers_added],
    ['Providers that go', changes.providers_removed],
    ['Settings that change', changes.settings_changed],
    ['Settings that wait for a restart', changes.restart_required],
  ] as const;
  const told = lines.filter(([, names]) => names.length > 0);
  const title = isDone ? 'It is in force' : 'It can be used';
  return (
    <Notice kind="good" title={title} isNew>
      {told.length === 0 && <p>{isDone ? 'Nothing has changed.' : 'It would change nothing.'}</p>}
      {told.map(([name, names]) => (
        <p key={name}>
          {name}: <span class="mono">{names.join(', ')}</span>
        </p>
      ))}
    </Notice>
  );
}
