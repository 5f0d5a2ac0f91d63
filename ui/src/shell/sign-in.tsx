import { effect, useSignal } from '@preact/signals';
import { access, ask } from '../api/api.ts';
import { type Failure, failureOf } from '../api/failure.ts';
import { forgetKey, giveKey } from '../api/key.ts';
import { Button } from '../parts/button.tsx';
import { bound, TextField, TickField, ticked } from '../parts/field.tsx';
import { FailureNotice } from '../parts/notice.tsx';

/** Whether a key has opened this page since it was loaded. */
let hasBeenOpen = false;
effect(() => {
  if (access.value === 'admin' || access.value === 'inference') hasBeenOpen = true;
});

/** Asks for the key, and goes on once the server takes it. */
export function SignIn() {
  const given = useSignal('');
  const stays = useSignal(false);
  const failure = useSignal<Failure | null>(null);
  const isAsking = useSignal(false);
  const enter = async () => {
    const wanted = given.value.trim();
    if (wanted === '') return;
    isAsking.value = true;
    failure.value = null;
    const wasOpen = hasBeenOpen;
    giveKey(wanted, stays.value);
    try {
      const opened = (await mayAdministrate()) ? 'admin' : 'inference';
      // What an earlier key saw and said is not for the next one.
      if (wasOpen) return location.reload();
      access.value = opened;
    } catch (thrown) {
      failure.value = failureOf(thrown);
      // One that nobody could look at may be right, and is tried again as the line is, or where the page is loaded anew.
      if (failure.value.status === 0) return;
      forgetKey();
      access.value = 'asked';
    } finally {
      isAsking.value = false;
    }
  };
  return (
    <main class="sign-in">
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          void enter();
        }}
      >
        <h1>Hearth</h1>
        <p class="soft small">
          This server asks for a key. One with the scope <code>admin</code> opens everything, one for{' '}
          <code>inference</code> the playground.
        </p>
        <TextField
          label="Key"
          type="password"
          {...bound(given)}
          focusFirst
          isMono
          hint="./hearth key create makes one on the machine itself."
        />
        <TickField {...ticked(stays)}>Keep it on this device</TickField>
        {failure.value && <FailureNotice title="The key was not taken" failure={failure.value} />}
        <Button kind="primary" submits busy={isAsking.value}>
          Open
        </Button>
      </form>
    </main>
  );
}

/** Whether the key is one for administration; rejects where it opens nothing. */
async function mayAdministrate(): Promise<boolean> {
  return ask('api/v1/config/status').then(
    () => true,
    (thrown) => {
      if (failureOf(thrown).status === 403) return false;
      throw thrown;
    },
  );
}

/** Forgets the key, and with it all that the page knows and was told. */
export function signOut(): void {
  forgetKey();
  location.reload();
}
