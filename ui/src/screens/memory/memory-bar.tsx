import { live } from '../../api/live.ts';
import type { LiveModel, MemoryParts } from '../../api/types.ts';
import { counted, memory, percent } from '../../text/format.ts';
import { ModelRow } from './model-row.tsx';
import { segmentsOf } from './segments.ts';

/** The machine as one bar, and who is in it. */
export function MemoryBar({ parts }: { parts: MemoryParts }) {
  const models = live.value?.models ?? [];
  const share = (bytes: number) => bytes / parts.total_bytes;
  const segments = segmentsOf(parts);
  return (
    <section class="card" aria-labelledby="memory-who">
      <header>
        <h2 id="memory-who">Who has it</h2>
        <span class="soft small end">{whatEndsNext(models)}</span>
      </header>
      <div
        class="memory-bar"
        role="img"
        aria-label={segments.map((one) => `${one.name} ${memory(one.bytes)}`).join(', ')}
      >
        {segments.map((one) => (
          <span
            key={one.id}
            class={`segment ${one.look}${one.model === null ? '' : ` model-${one.model % 4}`}`}
            style={{ flexGrow: share(one.bytes) }}
            title={`${one.name}: ${memory(one.bytes)}, ${percent(share(one.bytes))}`}
          />
        ))}
      </div>
      <ul class="plain memory-rows">
        {parts.models.map((one, index) => (
          <ModelRow
            key={one.model}
            parts={one}
            look={index % 4}
            share={share(one.total_bytes)}
            model={models.find(({ name }) => name === one.model) ?? null}
          />
        ))}
        {models
          .filter(({ name }) => !parts.models.some(({ model }) => model === name))
          .map((model) => (
            <ModelRow key={model.name} parts={null} look={null} share={0} model={model} />
          ))}
        <Row look="others" name="Other services" bytes={parts.others_bytes} share={share(parts.others_bytes)} />
        <Row look="server" name="Hearth itself" bytes={parts.server_bytes} share={share(parts.server_bytes)} />
        <Row
          look="free"
          name="Free"
          note="what a load may take at once"
          bytes={parts.free_bytes}
          share={share(parts.free_bytes)}
        />
        <Row
          look="reserve"
          name="Reserve"
          note="left to others, whatever happens"
          bytes={parts.reserve_bytes}
          share={share(parts.reserve_bytes)}
        />
      </ul>
      {parts.gpus.map((gpu) => (
        <p key={gpu.name} class="small soft memory-gpu">
          {gpu.name} ({gpu.backend}): {memory(gpu.free_bytes)} of {memory(gpu.total_bytes)} free
        </p>
      ))}
    </section>
  );
}

function Row({
  look,
  name,
  note,
  bytes,
  share,
}: {
  look: string;
  name: string;
  note?: string;
  bytes: number;
  share: number;
}) {
  return (
    <li class="memory-row">
      <span class={`swatch ${look}`} aria-hidden="true" />
      <span class="what">
        {name}
        {note && <span class="soft small note"> {note}</span>}
      </span>
      <span class="bytes" data-bytes={bytes}>
        {memory(bytes)}
      </span>
      <span class="soft share">{percent(share)}</span>
    </li>
  );
}

/** Who goes first when another model needs the room. */
function whatEndsNext(models: readonly LiveModel[]): string {
  const next = models.find(({ ends_next }) => ends_next);
  if (next) return `${next.name} goes first when room is needed`;
  if (models.length === 0) return 'No model is loaded; the first request loads one';
  const busy = models.filter(({ active_requests }) => (active_requests ?? 0) > 0).length;
  const pinned = models.filter((model) => model.pinned).length;
  const why = [busy > 0 && `${counted(busy, 'model')} at work`, pinned > 0 && `${counted(pinned, 'model')} pinned`];
  return `Nobody goes for another: ${why.filter(Boolean).join(', ') || 'all are loading'}`;
}
