import { signal } from '@preact/signals';

/** Milliseconds since 1970, moving once a second: for countdowns. */
export const nowMs = signal(Date.now());

setInterval(() => {
  if (document.visibilityState === 'visible') nowMs.value = Date.now();
}, 1_000);
