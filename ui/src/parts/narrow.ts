import { signal } from '@preact/signals';

/** As in `parts.css`: below it a table has no room. */
const narrow = matchMedia('(max-width: 640px)');

/** Whether the window is one of a phone. */
export const isNarrow = signal(narrow.matches);

narrow.addEventListener('change', ({ matches }) => {
  isNarrow.value = matches;
});
