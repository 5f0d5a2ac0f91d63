import { useSignal } from '@preact/signals';
import { useLoaded } from '../../api/load.ts';
import { asked, beginPull } from '../../api/pulling.ts';
import type { FoundModel, FoundModels } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { Notice, Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { counted, fileSize, memory, whole } from '../../text/format.ts';

/** What the catalogue and the hub have under some words. */
export function SearchResults({ query, onClose }: { query: string; onClose: () => void }) {
  const found = useLoaded<FoundModels>('api/v1/models/search', { query });
  const models = found.value?.models ?? [];
  return (
    <section class="card" aria-labelledby="models-found">
      <header>
        <h2 id="models-found">Found for “{query}”</h2>
        {found.value && (
          <span class="soft small">
            {counted(models.length, 'model')}; {memory(found.value.memory_bytes)} are there for one
          </span>
        )}
        <span class="end">
          <Button kind="quiet" icon="close" label="Close the search" onPress={onClose} />
        </span>
      </header>
      {found.isLoading && <Waiting what="Asking the hub" />}
      <RetryNotice title="The search failed" failure={found.failure} onRetry={found.reload} />
      {found.value?.notes.map((note) => (
        <Notice key={note} kind="warn">
          {note}
        </Notice>
      ))}
      {found.value && models.length === 0 && <p class="soft small">There is none with these words in its name.</p>}
      <ul class="plain">
        {!found.isLoading && models.map((model) => <FoundRow key={`${model.source} ${model.name}`} model={model} />)}
      </ul>
    </section>
  );
}

function FoundRow({ model }: { model: FoundModel }) {
  const { quantizations } = model;
  // The fast one of about the same size comes before the usual one.
  const usual =
    quantizations.find(({ quantization }) => quantization === model.advice?.quantization) ??
    quantizations.find(({ quantization, fits }) => quantization === 'q4_k_m' && fits !== false) ??
    quantizations.find(({ fits }) => fits !== false) ??
    quantizations[0];
  const chosen = useSignal(usual?.quantization ?? '');
  const now = quantizations.find(({ quantization }) => quantization === chosen.value);
  const isAsked = asked.value.some(({ name, failure }) => name === model.name && failure === null);
  const facts = [
    model.source === 'catalog' ? 'of the catalogue' : null,
    model.source === 'catalog' ? model.repository : null,
    model.licence,
    model.downloads !== null && `${whole(model.downloads)} downloads last month`,
  ];
  return (
    <li class="catalog-row of-search">
      <div>
        <strong class="found-name">{model.name}</strong>{' '}
        {model.gated && <span class="chip warn">its maker has to agree first</span>}
        <p class="small soft">{facts.filter(Boolean).join(' · ')}</p>
        {model.advice && <p class="small soft">{model.advice.message}</p>}
      </div>
      <span class="row small">
        {now?.fits === true && <span class="chip good">fits</span>}
        {now?.fits === false && <span class="chip bad">too large</span>}
        {quantizations.length > 0 && (
          <select
            class="input"
            aria-label={`Quantization of ${model.name}`}
            onChange={(event) => {
              chosen.value = event.currentTarget.value;
            }}
          >
            {quantizations.map(({ quantization, size_bytes, fits, on_disk }) => (
              <option key={quantization} value={quantization} selected={quantization === chosen.value}>
                {[
                  quantization,
                  size_bytes !== null && fileSize(size_bytes),
                  fits === false && 'too large',
                  on_disk && 'here',
                ]
                  .filter(Boolean)
                  .join(', ')}
              </option>
            ))}
          </select>
        )}
      </span>
      <span class="end">
        {now?.on_disk ? (
          <span class="chip good">here</span>
        ) : (
          <Button
            icon="download"
            label={`Pull ${model.name}`}
            busy={isAsked}
            onPress={() => beginPull(model.name, chosen.value || null)}
          >
            Pull
          </Button>
        )}
      </span>
    </li>
  );
}
