import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import { Button } from '../../parts/button.tsx';
import { SelectField, TextField } from '../../parts/field.tsx';
import { Notice } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { percent } from '../../text/format.ts';
import { model } from './chat-state.ts';

/** What was found of one question. */
type Decided =
  | { type: 'yes_no'; probability: number; confidence: number; label_mass: number }
  | { type: 'choice'; choice: string; probabilities: { label: string; probability: number }[]; label_mass: number }
  | { type: 'score'; score: number; probabilities: { label: string; probability: number }[]; label_mass: number }
  | { type: 'refused'; reason: string; label_mass: number };

type Kind = 'yes_no' | 'choice';

/** Below this share the question did not fit, by the server's word. */
const leastLabelMass = 0.5;

/** Closed questions about a text; nothing is generated. */
export function Decisions() {
  const input = useSignal('My invoice shows the wrong amount, for the third time!');
  const question = useSignal('What is it about?');
  const kind = useSignal<Kind>('choice');
  const options = useSignal('billing, delivery, praise');
  const result = useSignal<Decided | null>(null);
  const failure = useSignal<Failure | null>(null);
  const list = options.value
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  const isReady =
    input.value.trim() !== '' && question.value.trim() !== '' && (kind.value === 'yes_no' || list.length > 1);
  const decide = async () => {
    failure.value = null;
    const asked = {
      type: kind.value,
      question: question.value,
      ...(kind.value === 'choice' && { options: list }),
    };
    try {
      const body = { model: model.value, input: input.value, questions: [asked] };
      const answer = await ask<{ answers: Decided[] }>('api/v1/decide', { method: 'POST', body });
      result.value = answer.answers[0] ?? null;
    } catch (thrown) {
      result.value = null;
      failure.value = failureOf(thrown);
    }
  };
  return (
    <div class="stack decisions">
      <p class="small soft">
        A closed question about a text. The model generates nothing: the probability of each option is read off it.
      </p>
      <TextField label="Text" rows={3} value={input.value} onChange={(value) => set(input, value)} />
      <TextField label="Question" value={question.value} onChange={(value) => set(question, value)} />
      <div class="sampling-numbers">
        <SelectField
          label="Kind"
          value={kind.value}
          onChange={(value) => set(kind, value)}
          options={[
            { value: 'choice', text: 'one of several' },
            { value: 'yes_no', text: 'yes or no' },
          ]}
        />
        {kind.value === 'choice' && (
          <TextField
            label="Options"
            hint="with commas between them"
            value={options.value}
            onChange={(value) => set(options, value)}
          />
        )}
      </div>
      <div class="row">
        <Button kind="primary" off={!isReady || model.value === ''} onPress={decide}>
          Decide
        </Button>
      </div>
      <RetryNotice title="There is no decision" failure={failure.value} onRetry={decide} />
      {result.value && <Result decided={result.value} />}
    </div>
  );
}

function set<Value>(of: { value: Value }, value: Value): void {
  of.value = value;
}

function Result({ decided }: { decided: Decided }) {
  if (decided.type === 'refused')
    return (
      <Notice kind="warn" isNew title="The model could not be read for this">
        {decided.reason}
      </Notice>
    );
  const options =
    decided.type === 'yes_no'
      ? [
          { label: 'yes', probability: decided.probability },
          { label: 'no', probability: 1 - decided.probability },
        ]
      : decided.probabilities;
  const most = Math.max(...options.map(({ probability }) => probability));
  return (
    <section class="card" aria-label="Decision">
      <ul class="plain stack tight">
        {options.map(({ label, probability }) => (
          <li key={label} class={`option${probability === most ? ' is-most' : ''}`}>
            <span class="cut">{label}</span>
            <span class="option-bar" aria-hidden="true">
              <span style={{ width: `${probability * 100}%` }} />
            </span>
            <span class="number">{percent(probability)}</span>
          </li>
        ))}
      </ul>
      {decided.label_mass < leastLabelMass && (
        <p class="small soft">
          Only {percent(decided.label_mass)} of what the model would have said is one of these: the question fits it
          badly.
        </p>
      )}
    </section>
  );
}
