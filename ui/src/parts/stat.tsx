import type { ComponentChildren } from 'preact';

/** One number with its name; put several into `<dl class="stats">`. */
export function Stat({
  name,
  value,
  unit,
  note,
}: {
  name: string;
  value: ComponentChildren;
  unit?: string;
  note?: ComponentChildren;
}) {
  return (
    <div class="stat">
      <dt>{name}</dt>
      <dd>
        {value}
        {unit && <span class="unit">{unit}</span>}
      </dd>
      {note && <dd class="note">{note}</dd>}
    </div>
  );
}

/** How far something is; `share` null: nobody knows. */
export function Progress({ share, label }: { share: number | null; label: string }) {
  const percent = share === null ? 0 : Math.round(Math.min(1, share) * 1000) / 10;
  return (
    <div
      class={`progress${share === null ? ' unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === null ? undefined : percent}
    >
      <span style={{ width: `${percent}%` }} />
    </div>
  );
}

/** A name and what it has, in a list of such. */
export function Fact({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <dt class="soft">{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}
