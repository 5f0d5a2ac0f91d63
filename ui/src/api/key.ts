import { signal } from '@preact/signals';

/**
 * The key that the page sends with everything it asks. It is kept for this tab, or on this device if whoever gave it
 * wants that; never in an address, and never in a cookie that a browser would send by itself.
 */

const name = 'hearth.key';

/** Null: none was given, or none is needed. */
export const key = signal<string | null>(read());

/** Keeps a key; `stays`: on this device, beyond this tab. */
export function giveKey(given: string, stays: boolean): void {
  forgetKey();
  write(stays ? 'localStorage' : 'sessionStorage', given);
  key.value = given;
}

export function forgetKey(): void {
  for (const place of ['localStorage', 'sessionStorage'] as const) write(place, null);
  key.value = null;
}

/** Browsers may forbid storage; the key is then good for this page only. */
function read(): string | null {
  try {
    return sessionStorage.getItem(name) ?? localStorage.getItem(name);
  } catch {
    return null;
  }
}

function write(place: 'localStorage' | 'sessionStorage', value: string | null): void {
  try {
    if (value === null) window[place].removeItem(name);
    else window[place].setItem(name, value);
  } catch {
    // As above.
  }
}
