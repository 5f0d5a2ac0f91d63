import { useSignal } from '@preact/signals';
import { address, ask, root } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import { key } from '../../api/key.ts';
import { useLoaded } from '../../api/load.ts';
import type { ModelList } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { Code } from '../../parts/code.tsx';
import { bound, SelectField } from '../../parts/field.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { duration } from '../../text/format.ts';
import { clients } from './clients.ts';
import { NewKey } from './new-key.tsx';

/** Where programs find the server, with what key, and what to tell each of them. */
export default function Connect() {
  const base = root.href.replace(/\/$/, '');
  const needsKey = key.value !== null;
  const made = useSignal<string | null>(null);
  const models = useLoaded<ModelList>('api/v1/models');
  const model = useSignal('default');
  const chosen = useSignal(clients[0]!.id);
  const client = clients.find(({ id }) => id === chosen.value)!;
  const names = ['default', ...(models.value?.models ?? []).map(({ name }) => name)];
  const shownKey = needsKey ? (made.value ?? 'YOUR_KEY') : null;
  return (
    <ScreenFrame title="Connect" summary="What other programs need to ask this server.">
      <section class="card stack" aria-labelledby="connect-where">
        <header>
          <h2 id="connect-where">Address</h2>
        </header>
        <Base of="OpenAI's API" url={`${base}/v1`} />
        <Base of="Anthropic's and Ollama's API" url={base} />
        {isLoopback(root) && (
          <Notice>
            <p>
              This page was opened on the machine itself. Other devices take its name or address in the network instead
              of <code>{root.hostname}</code>, and the server must listen there: <code>--host 0.0.0.0</code> with a key.
            </p>
          </Notice>
        )}
        <Test model={model.value} />
      </section>
      {needsKey && (
        <NewKey
          made={made.value}
          onMade={(given) => {
            made.value = given;
          }}
        />
      )}
      <section class="card stack" aria-labelledby="connect-clients">
        <header>
          <h2 id="connect-clients">Programs</h2>
        </header>
        <div class="row">
          <SelectField
            label="Program"
            {...bound(chosen)}
            options={clients.map(({ id, name }) => ({ value: id, text: name }))}
          />
          <SelectField label="Model" {...bound(model)} options={names.map((name) => ({ value: name, text: name }))} />
        </div>
        <p class="soft small">{client.about}</p>
        <Code label={`For ${client.name}`} text={client.text({ base, key: shownKey, model: model.value })} wraps />
      </section>
    </ScreenFrame>
  );
}

/** An address, under the name of what speaks there. */
function Base({ of, url }: { of: string; url: string }) {
  return (
    <div>
      <p class="soft small">For {of}</p>
      <Code label={`Base URL for ${of}`} text={url} wraps />
    </div>
  );
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

/** Asks the server for one word, by the address and with the key that the page itself has. */
function Test({ model }: { model: string }) {
  const failure = useSignal<Failure | null>(null);
  const tookMs = useSignal<number | null>(null);
  const test = async () => {
    failure.value = null;
    tookMs.value = null;
    const beganMs = performance.now();
    try {
      await ask('v1/chat/completions', {
        method: 'POST',
        body: { model, max_tokens: 1, messages: [{ role: 'user', content: 'Hello' }] },
      });
      tookMs.value = performance.now() - beganMs;
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <>
      <div class="row">
        <Button onPress={test}>Test it</Button>
        <span class="soft small">asks {model} for one token</span>
      </div>
      {failure.value && <FailureNotice title="It did not answer" failure={failure.value} />}
      {tookMs.value !== null && (
        <Notice kind="good" isNew>
          {model} answered at {address('v1/chat/completions').href} after {duration(tookMs.value)}.
        </Notice>
      )}
    </>
  );
}
