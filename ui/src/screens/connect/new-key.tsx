import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import { Button } from '../../parts/button.tsx';
import { Code } from '../../parts/code.tsx';
import { bound, TextField, TickField, ticked } from '../../parts/field.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';

/** Makes a key for a program. `made`: the one that was made, which the server tells this once. */
export function NewKey({ made, onMade }: { made: string | null; onMade: (key: string) => void }) {
  const name = useSignal('');
  const cloud = useSignal(false);
  const failure = useSignal<Failure | null>(null);
  const create = async () => {
    failure.value = null;
    try {
      const { key } = await ask<{ key: string }>('api/v1/keys', {
        method: 'POST',
        body: { name: name.value.trim(), cloud: cloud.value },
      });
      onMade(key);
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <section class="card" aria-labelledby="connect-key">
      <header>
        <h2 id="connect-key">Key</h2>
        <span class="soft small end">one for each program, so that it can be taken back alone</span>
      </header>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.value.trim() !== '') void create();
        }}
      >
        {made !== null && (
          <>
            <Notice kind="good" isNew>
              This is the key. It is shown this once, and stands in what is below.
            </Notice>
            <Code label="Key" text={made} wraps />
          </>
        )}
        <TextField
          label="Name"
          hint="Of the program or the person, without blanks: it stands in lists and costs."
          {...bound(name)}
        />
        <TickField {...ticked(cloud)}>Requests with it may leave the house, where they are marked for it</TickField>
        {failure.value && <FailureNotice title="No key was made" failure={failure.value} />}
        <div class="row">
          <Button submits off={name.value.trim() === ''}>
            Make a key
          </Button>
        </div>
      </form>
    </section>
  );
}
