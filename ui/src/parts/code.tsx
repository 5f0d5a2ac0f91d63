import { useSignal } from '@preact/signals';
import { Button } from './button.tsx';

/** Text to take along. `label`: what it is. */
export function Code({ text, label, wraps = false }: { text: string; label: string; wraps?: boolean }) {
  return (
    <div class={`code${wraps ? ' wraps' : ''}`}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard */}
      <section tabIndex={0} aria-label={label}>
        <pre>{text}</pre>
      </section>
      <CopyButton text={text} label={`Copy: ${label}`} />
    </div>
  );
}

/** Copies, and says that it did. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const said = useSignal<'' | 'Copied' | 'Not allowed here'>('');
  const copy = async () => {
    said.value = (await copyText(text)) ? 'Copied' : 'Not allowed here';
    setTimeout(() => {
      said.value = '';
    }, 2_000);
  };
  return (
    <Button kind="quiet" icon={said.value === 'Copied' ? 'check' : 'copy'} label={label} onPress={copy}>
      <span role="status">{said.value || 'Copy'}</span>
    </Button>
  );
}

/** Browsers have a clipboard for pages over TLS and on the machine itself only; a NAS in the house is neither. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'hidden-but-read';
    // Beside what has the focus: a dialog lets nothing outside of it be selected.
    const beside = document.activeElement?.closest('dialog') ?? document.body;
    const before = document.activeElement;
    beside.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}
