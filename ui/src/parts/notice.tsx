import type { ComponentChildren } from 'preact';
import type { Failure } from '../api/failure.ts';
import { memory } from '../text/format.ts';
import { Icon } from './icon.tsx';

/** Something that whoever looks should know. `isNew`: it is read out as it appears. */
export function Notice({
  kind = 'info',
  title,
  isNew = false,
  children,
}: {
  kind?: 'info' | 'good' | 'warn' | 'bad';
  title?: string;
  isNew?: boolean;
  children?: ComponentChildren;
}) {
  return (
    <div class={`notice ${kind}`} role={isNew ? (kind === 'bad' ? 'alert' : 'status') : undefined}>
      <Icon name={kind === 'bad' || kind === 'warn' ? 'warn' : kind === 'good' ? 'check' : 'info'} size={16} />
      <div class="body">
        {title && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

const names: Readonly<Record<string, string>> = {
  needed_bytes: 'needs',
  available_bytes: 'free for it',
  shortfall_bytes: 'missing',
  reclaimable_bytes: 'free once idle models end',
  free_bytes: 'free on the disk',
  required_bytes: 'needs on the disk',
};

/** A failure with its numbers and what helps. `children`: the buttons that do. */
export function FailureNotice({
  title,
  failure,
  children,
}: {
  title: string;
  failure: Failure;
  children?: ComponentChildren;
}) {
  const numbers = Object.entries(failure.details).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[0] in names,
  );
  return (
    <Notice kind="bad" title={title} isNew>
      <p>
        {failure.message}
        {failure.fix !== null && ` ${failure.fix}`}
      </p>
      {numbers.length > 0 && (
        <p class="row small">
          {numbers.map(([name, bytes]) => (
            <span key={name}>
              <span class="soft">{names[name]}</span> <strong>{memory(bytes)}</strong>
            </span>
          ))}
        </p>
      )}
      {children && <div class="row">{children}</div>}
    </Notice>
  );
}

/** While the first answer is on its way; a screen that waits for longer says so itself. */
export function Waiting({ what }: { what: string }) {
  return (
    <p class="row soft small" role="status">
      <span class="spin" /> {what}
    </p>
  );
}
