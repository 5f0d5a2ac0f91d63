import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** A field that shows a signal and changes it: `<TextField label="Name" {...bound(name)} />`. */
export function bound<Value>(signal: Signal<Value>) {
  return {
    value: signal.value,
    onChange: (value: Value) => {
      signal.value = value;
    },
  };
}

/** The same for one that is ticked. */
export function ticked(signal: Signal<boolean>) {
  const { value, onChange } = bound(signal);
  return { checked: value, onChange };
}

interface Named {
  label: string;
  hint?: ComponentChildren;
  /** What is wrong with the value; null: nothing. */
  wrong?: string | null;
}

function Frame({ id, label, hint, wrong, children }: Named & { id: string; children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {wrong && (
        <span class="wrong" id={`${id}-wrong`}>
          {wrong}
        </span>
      )}
    </div>
  );
}

function described(id: string, { hint, wrong }: Named): string | undefined {
  return [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ') || undefined;
}

/** One line of text, or several with `rows`. */
export function TextField({
  value,
  onChange,
  rows,
  type = 'text',
  placeholder,
  isMono = false,
  focusFirst = false,
  ...named
}: Named & {
  value: string;
  onChange: (value: string) => void;
  rows?: number;
  type?: 'text' | 'password' | 'number' | 'search' | 'date';
  placeholder?: string;
  isMono?: boolean;
  focusFirst?: boolean;
}) {
  const id = useId();
  const common = {
    id,
    value,
    placeholder,
    class: `input${isMono ? ' mono' : ''}`,
    autoComplete: 'off',
    spellcheck: false,
    'aria-describedby': described(id, named),
    'aria-invalid': named.wrong ? true : undefined,
    onInput: (event: Event) => onChange((event.target as HTMLInputElement).value),
  };
  return (
    <Frame id={id} {...named}>
      {rows === undefined ? (
        <input {...common} type={type as 'text'} autofocus={focusFirst} />
      ) : (
        <textarea {...common} rows={rows} autofocus={focusFirst} />
      )}
    </Frame>
  );
}

/** One of a few values. */
export function SelectField<Value extends string>({
  value,
  options,
  onChange,
  ...named
}: Named & {
  value: Value;
  options: readonly { value: Value; text: string; off?: boolean }[];
  onChange: (value: Value) => void;
}) {
  const id = useId();
  return (
    <Frame id={id} {...named}>
      <select
        id={id}
        class="input"
        aria-describedby={described(id, named)}
        onChange={(event) => onChange(event.currentTarget.value as Value)}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value} disabled={option.off} selected={option.value === value}>
            {option.text}
          </option>
        ))}
      </select>
    </Frame>
  );
}

/** A number on a scale. `text`: the number as people read it. */
export function SlideField({
  value,
  min,
  max,
  step,
  text,
  onChange,
  ...named
}: Named & { value: number; min: number; max: number; step: number; text: string; onChange: (value: number) => void }) {
  const id = useId();
  return (
    <div class="field">
      <div class="row">
        <label for={id} class="small">
          <strong>{named.label}</strong>
        </label>
        <output for={id} class="end small">
          {text}
        </output>
      </div>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        aria-describedby={described(id, named)}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
      {named.hint && (
        <span class="hint" id={`${id}-hint`}>
          {named.hint}
        </span>
      )}
    </div>
  );
}

/** Yes or no. */
export function TickField({
  checked,
  onChange,
  children,
}: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ComponentChildren;
}) {
  return (
    <label class="tick">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>{children}</span>
    </label>
  );
}
