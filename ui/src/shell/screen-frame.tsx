import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

/** What every screen stands in. `summary`: one line of what is to be seen; `actions`: buttons for all of it. */
export function ScreenFrame({
  title,
  summary,
  actions,
  children,
}: {
  title: string;
  summary?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · Hearth`;
  }, [title]);
  return (
    <>
      <header class="screen-head">
        <div>
          <h1>{title}</h1>
          {summary && <p class="soft small">{summary}</p>}
        </div>
        {actions && <div class="row">{actions}</div>}
      </header>
      <div class="stack">{children}</div>
    </>
  );
}
