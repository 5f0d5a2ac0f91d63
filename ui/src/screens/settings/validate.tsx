import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import type { ConfigFindings } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { bound, TextField } from '../../parts/field.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';

/** Checks a configuration before it is written into the file. Nothing changes. */
export function Validate() {
  const yaml = useSignal('');
  const failure = useSignal<Failure | null>(null);
  const found = useSignal<ConfigFindings | null>(null);
  const check = async () => {
    failure.value = null;
    found.value = null;
    try {
      found.value = await ask<ConfigFindings>('api/v1/config/validate', { method: 'POST', body: { yaml: yaml.value } });
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <section class="card stack" aria-labelledby="settings-check">
      <header>
        <h2 id="settings-check">Check a configuration</h2>
        <span class="soft small end">nothing changes</span>
      </header>
      <TextField label="YAML" rows={8} isMono placeholder={'budgets:\n  daily: 2'} {...bound(yaml)} />
      <div class="row">
        <Button off={yaml.value.trim() === ''} onPress={check}>
          Check it
        </Button>
      </div>
      {failure.value && <FailureNotice title="It was not checked" failure={failure.value} />}
      {found.value && (
        <Notice
          kind={found.value.valid ? 'good' : 'bad'}
          title={found.value.valid ? 'It can be used' : 'It cannot be used'}
          isNew
        >
          {[...found.value.errors, ...found.value.warnings].map((line) => (
            <p key={line} class="mono small">
              {line}
            </p>
          ))}
        </Notice>
      )}
    </section>
  );
}
