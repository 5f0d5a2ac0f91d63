import { part } from '../../api/live.ts';
import { useLoaded } from '../../api/load.ts';
import type { ModelList } from '../../api/types.ts';
import { FirstModels } from '../../parts/first-models.tsx';
import { Notice, Waiting } from '../../parts/notice.tsx';
import { Pulls } from '../../parts/pulls.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { memory } from '../../text/format.ts';
import { MemoryBar } from './memory-bar.tsx';
import { PaceCard } from './pace-card.tsx';
import { ProvidersCard } from './providers-card.tsx';
import { TodayCard } from './today-card.tsx';
import './memory.css';

const parts = part('memory');
const server = part('server');
const pulls = part('pulls');
/** A model of somebody's own is larger. */
const builtInBytes = 20e6;

/** Who has the memory of the machine, and how it does. */
export default function Memory() {
  const now = parts.value;
  const isHere = (pulls.value ?? []).filter(({ state }) => state === 'done').length;
  const list = useLoaded<ModelList>('api/v1/models', {}, [isHere]);
  // Beside the one that comes with the server.
  const hasNone = list.value?.models.every(({ size_bytes }) => size_bytes < builtInBytes);
  if (now === null)
    return (
      <ScreenFrame title="Memory">
        <Waiting what="Asking the server" />
      </ScreenFrame>
    );
  const bound = { host: 'of this machine', config: 'by engine.memory_limit' }[now.source] ?? 'of this container';
  return (
    <ScreenFrame
      title="Memory"
      summary={`${memory(now.total_bytes)} ${bound}, ${memory(now.free_bytes)} free for models`}
    >
      {server.value?.reason && <Notice kind="warn">{server.value.reason}</Notice>}
      <Pulls />
      <MemoryBar parts={now} />
      {hasNone && <FirstModels />}
      <div class="memory-cards">
        <PaceCard />
        <TodayCard />
        <ProvidersCard />
      </div>
    </ScreenFrame>
  );
}
