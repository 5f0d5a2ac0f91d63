import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { send } from '../../api/api.ts';
import { type Failure, failureOf, wasAborted } from '../../api/failure.ts';
import { readSse } from '../../api/sse.ts';
import type { LogLine } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { bound, SelectField, TextField } from '../../parts/field.tsx';
import { FailureNotice } from '../../parts/notice.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { counted, moment } from '../../text/format.ts';
import './logs.css';

const levels = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];
const keptLines = 1_000;

/** The last lines of the log, and those that come. */
export default function Logs() {
  const level = useSignal<Level>('info');
  const wanted = useSignal('');
  const { lines, failure, again } = useLines(level.value);
  const shown = useComputed(() => {
    const words = wanted.value.trim().toLowerCase();
    return words === '' ? lines.value : lines.value.filter((line) => textOf(line).includes(words));
  });
  return (
    <ScreenFrame
      title="Logs"
      summary={`${counted(shown.value.length, 'line')}, the newest first. Keys, prompts and answers are in none.`}
    >
      <div class="row logs-filter">
        <SelectField
          label="Level, at least"
          {...bound(level)}
          options={levels.map((value) => ({ value, text: value }))}
        />
        <TextField label="Find" type="search" placeholder="a word, or the id of a request" {...bound(wanted)} />
      </div>
      {failure.value && (
        <FailureNotice title="The log is not followed" failure={failure.value}>
          <Button onPress={again}>Follow it again</Button>
        </FailureNotice>
      )}
      <ol class="plain card logs-lines">
        {shown.value.toReversed().map((line) => (
          <Line key={line.sequence} line={line} />
        ))}
        {shown.value.length === 0 && <li class="soft small">No line so far.</li>}
      </ol>
    </ScreenFrame>
  );
}

/** Follows the log from a level on, and anew whenever that changes. */
function useLines(level: Level) {
  const lines = useSignal<readonly LogLine[]>([]);
  const failure = useSignal<Failure | null>(null);
  const round = useSignal(0);
  useEffect(() => {
    const own = new AbortController();
    lines.value = [];
    failure.value = null;
    const read = async () => {
      const response = await send('api/v1/logs/events', { query: { level }, signal: own.signal });
      for await (const { event, data } of readSse(response.body!)) {
        if (event !== 'line') continue;
        lines.value = [...lines.value, JSON.parse(data) as LogLine].slice(-keptLines);
      }
    };
    read()
      .then(() => failureOf(new Error('The server has ended the line.')), failureOfUnlessGivenUp)
      .then((found) => {
        if (!own.signal.aborted) failure.value = found;
      });
    return () => own.abort();
  }, [level, round.value]);
  const again = () => {
    round.value += 1;
  };
  return { lines, failure, again };
}

function failureOfUnlessGivenUp(thrown: unknown): Failure | null {
  return wasAborted(thrown) ? null : failureOf(thrown);
}

function textOf({ message, request_id: id, fields }: LogLine): string {
  return `${message} ${id ?? ''} ${JSON.stringify(fields)}`.toLowerCase();
}

const looks = { trace: '', debug: '', info: '', warn: 'warn', error: 'bad', fatal: 'bad' } as const;

function Line({ line }: { line: LogLine }) {
  const { time, level, message, request_id: id, fields } = line;
  const all = Object.entries(fields);
  const short = all.filter(([, value]) => typeof value !== 'object' || value === null);
  const long = all.filter(([, value]) => typeof value === 'object' && value !== null);
  return (
    <li data-level={level}>
      <span class="soft nowrap">{moment(time)}</span>
      <span class={`chip ${looks[level]}`}>{level}</span>
      <div class="logs-said">
        {message}{' '}
        <span class="soft">
          {id} {short.map(([name, value]) => `${name}=${value}`).join(' ')}
        </span>
        {long.length > 0 && (
          <details class="fold">
            <summary>{long.map(([name]) => name).join(', ')}</summary>
            {long.map(([name, value]) => (
              <pre key={name}>
                {name}: {textOfObject(value)}
              </pre>
            ))}
          </details>
        )}
      </div>
    </li>
  );
}

/** Errors have their message and where they come from; line breaks stay what they are. */
function textOfObject(value: unknown): string {
  const { stack } = value as { stack?: unknown };
  return typeof stack === 'string' ? stack : JSON.stringify(value, null, 2);
}
