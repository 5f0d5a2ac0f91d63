import type { LiveModel, MemoryParts } from '../../api/types.ts';
import { UnloadButton } from '../../parts/model-actions.tsx';
import { StateChips } from '../../parts/model-chips.tsx';
import { counted, duration, memory, percent, rate } from '../../text/format.ts';

/** One loaded model: what it has, what it does, and when it goes. `look`: its colour; null: it has no memory yet. */
export function ModelRow({
  parts,
  look,
  share,
  model,
}: {
  parts: MemoryParts['models'][number] | null;
  look: number | null;
  share: number;
  model: LiveModel | null;
}) {
  const name = parts?.model ?? model!.name;
  return (
    <li class="memory-row of-model">
      <span class={`swatch weights${look === null ? ' none' : ` model-${look}`}`} aria-hidden="true" />
      <strong class="what cut">{name}</strong>
      <div class="more">
        {model && (
          <p class="row small">
            <StateChips model={model} />
            {model.state === 'loaded' && <Doing model={model} />}
          </p>
        )}
        {parts && (
          <p class="small soft parts">
            <Part look={`weights model-${look}`} name="weights" bytes={parts.weights_bytes} />
            <Part look={`cache model-${look}`} name="cache" bytes={parts.cache_bytes} />
            <Part look={`work model-${look}`} name="work space" bytes={parts.work_bytes} />
          </p>
        )}
      </div>
      <span class="bytes" data-bytes={parts?.total_bytes ?? 0}>
        {memory(parts?.total_bytes)}
      </span>
      <span class="soft share">{parts && percent(share)}</span>
      {model && model.state === 'loaded' && (
        <span class="act">
          <UnloadButton model={model} />
        </span>
      )}
    </li>
  );
}

function Part({ look, name, bytes }: { look: string; name: string; bytes: number }) {
  return (
    <span class="nowrap">
      <span class={`swatch small ${look}`} aria-hidden="true" /> {name} <span data-bytes={bytes}>{memory(bytes)}</span>
    </span>
  );
}

function Doing({ model }: { model: LiveModel }) {
  const active = model.active_requests ?? 0;
  const queued = model.queued_requests ?? 0;
  const words = [
    active > 0 ? counted(active, 'answer') : 'idle',
    queued > 0 && `${queued} waiting`,
    model.tokens_per_second > 0 && `${rate(model.tokens_per_second)} tokens/s`,
    model.prompt_tokens_per_second > 0 && `reading ${rate(model.prompt_tokens_per_second)} tokens/s`,
    model.first_token_ms !== null && `first token after ${duration(model.first_token_ms)}`,
  ];
  return <span class="soft">{words.filter(Boolean).join(' · ')}</span>;
}
