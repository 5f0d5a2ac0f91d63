import { signal } from '@preact/signals';

/** Where the page is: the id of a screen, and what it was opened for, from `#/models?pull=qwen3-4b`. */
export interface Route {
  screen: string;
  query: URLSearchParams;
}

export const route = signal<Route>(read());

addEventListener('hashchange', () => {
  route.value = read();
});

/** The address of a screen, for links. */
export function to(screen: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${screen}${search === '' ? '' : `?${search}`}`;
}

/** Goes there. */
export function go(screen: string, query: Record<string, string> = {}): void {
  location.hash = to(screen, query);
}

function read(): Route {
  const [screen = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  return { screen, query: new URLSearchParams(search) };
}
