import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';

/**
 * A button that shows that its work runs, and takes no second press meanwhile. What `onPress` throws is its caller's to show.
 * `label`: what it does, where it has no words.
 */
export function Button({
  kind = 'plain',
  icon,
  label,
  busy = false,
  off = false,
  submits = false,
  onPress,
  children,
}: {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  icon?: IconName;
  label?: string;
  busy?: boolean;
  /** It stays in reach of the keyboard, and does nothing. */
  off?: boolean;
  submits?: boolean;
  onPress?: () => unknown;
  children?: ComponentChildren;
}) {
  const works = useSignal(false);
  const isThere = useRef(true);
  useEffect(
    () => () => {
      isThere.current = false;
    },
    [],
  );
  const isBusy = busy || works.value;
  const press = async () => {
    if (isBusy || off || !onPress) return;
    const result = onPress();
    if (!(result instanceof Promise)) return;
    works.value = true;
    try {
      await result;
    } finally {
      if (isThere.current) works.value = false;
    }
  };
  return (
    <button
      type={submits ? 'submit' : 'button'}
      class={`button ${kind}${children === undefined ? ' icon' : ''}`}
      aria-label={label}
      title={children === undefined ? label : undefined}
      aria-disabled={isBusy || off}
      aria-busy={isBusy}
      onClick={(event) => {
        if (submits && (isBusy || off)) event.preventDefault();
        if (!submits) void press();
      }}
    >
      {isBusy ? <span class="spin" /> : icon && <Icon name={icon} size={16} />}
      {children}
    </button>
  );
}
