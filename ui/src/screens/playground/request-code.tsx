import { useSignal } from '@preact/signals';
import { root } from '../../api/api.ts';
import { key } from '../../api/key.ts';
import { Code } from '../../parts/code.tsx';
import { bound, SelectField } from '../../parts/field.tsx';
import { draft, model, requestBody, sampling, turns } from './chat-state.ts';
import { toCurl, toJavaScript, toPython } from './to-code.ts';

const languages = [
  { value: 'curl', text: 'curl' },
  { value: 'javascript', text: 'JavaScript' },
  { value: 'python', text: 'Python' },
] as const;

/** The request that the chat would send next, for other programs. */
export function RequestCode() {
  const language = useSignal<(typeof languages)[number]['value']>('curl');
  const next = draft.value.trim() || (turns.value.length === 0 ? 'What can you do?' : '');
  const asked = next === '' ? withoutLastAnswer() : [...turns.value, { role: 'user' as const, text: next }];
  const request = {
    base: `${root}`.replace(/\/$/, ''),
    needsKey: key.value !== null,
    body: requestBody({ model: model.value || 'default', turns: asked, sampling: sampling.value }),
  };
  const text = { curl: toCurl, javascript: toJavaScript, python: toPython }[language.value](request);
  return (
    <div class="stack">
      <div class="playground-model">
        <SelectField label="Language" {...bound(language)} options={languages} />
      </div>
      <Code text={text} label={languages.find(({ value }) => value === language.value)!.text} />
      <p class="small soft">
        The conversation and the settings of the chat, as they are now.
        {request.needsKey && ' The key is not in it: it is read from the variable HEARTH_API_KEY.'}
      </p>
    </div>
  );
}

function withoutLastAnswer() {
  return turns.value.at(-1)?.role === 'assistant' ? turns.value.slice(0, -1) : turns.value;
}
