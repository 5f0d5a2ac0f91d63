import { part } from '../../api/live.ts';
import { Waiting } from '../../parts/notice.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { counted } from '../../text/format.ts';
import { Latest } from './latest.tsx';
import { Running } from './running.tsx';

const requests = part('requests');

/** Who asks for what now, and what was answered before. Never the texts. */
export default function Requests() {
  const now = requests.value;
  const waiting = now?.filter(({ status }) => status === 'queued').length ?? 0;
  return (
    <ScreenFrame
      title="Requests"
      summary={now === null ? undefined : `${counted(now.length - waiting, 'request')} at work, ${waiting} waiting`}
    >
      {now === null ? <Waiting what="Asking the server" /> : <Running requests={now} />}
      <Latest endedCount={now?.length ?? 0} />
    </ScreenFrame>
  );
}
