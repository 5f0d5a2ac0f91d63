import { signal } from '@preact/signals';

type Theme = 'system' | 'light' | 'dark';
const name = 'hearth.theme';

export const theme = signal<Theme>(read());
show();

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  try {
    localStorage.setItem(name, chosen);
  } catch {
    // It is then good for this page only.
  }
  show();
}

function show(): void {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
}

function read(): Theme {
  try {
    const kept = localStorage.getItem(name);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}
