import { useSignal } from '@preact/signals';
import { live } from '../../api/live.ts';
import { useLoaded } from '../../api/load.ts';
import { asked, beginPull } from '../../api/pulling.ts';
import type { AvailableModel } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { bound, TextField } from '../../parts/field.tsx';
import { Waiting } from '../../parts/notice.tsx';
import { RetryNotice } from '../../parts/retry-notice.tsx';
import { contextTokens, counted, fileSize, parameters } from '../../text/format.ts';
import { SearchResults } from './search-results.tsx';

/** What can be pulled: what a search finds, a name that one knows, or one of those that come with the server. */
export function GetModels() {
  const text = useSignal('');
  const searched = useSignal('');
  const catalog = useLoaded<{ models: AvailableModel[] }>('api/v1/catalog');
  const wanted = text.value.trim();
  // Names of the hub have a slash or a quantization; words for a search have neither.
  const isName = /[/:]/.test(wanted);
  const go = async () => {
    if (wanted === '') return;
    if (!isName) {
      searched.value = wanted;
      return;
    }
    text.value = '';
    await beginPull(wanted);
  };
  return (
    <>
      <form
        class="models-get"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <TextField
          label="Words, a name or an address"
          {...bound(text)}
          placeholder="qwen3 4b, or hf.co/org/repo:Q4_K_M"
          hint="A search asks the hub. What can never fit is refused before it is downloaded, with the numbers."
        />
        <Button kind="primary" icon={isName ? 'download' : 'search'} submits>
          {isName ? 'Pull' : 'Search'}
        </Button>
      </form>
      {searched.value !== '' && (
        <SearchResults
          query={searched.value}
          onClose={() => {
            searched.value = '';
          }}
        />
      )}
      <RetryNotice title="The catalogue cannot be read" failure={catalog.failure} onRetry={catalog.reload} />
      {catalog.value === null && catalog.isLoading && <Waiting what="Reading the catalogue" />}
      {[...Map.groupBy(catalog.value?.models ?? [], ({ machine_gb }) => machine_gb)].map(([gigabytes, models]) => (
        <CatalogGroup key={gigabytes} gigabytes={gigabytes} models={models} />
      ))}
    </>
  );
}

/** Those for machines of a size; open where this one is as large. */
function CatalogGroup({ gigabytes, models }: { gigabytes: number; models: readonly AvailableModel[] }) {
  // A machine that is sold with so much has a little less.
  const isFor = (live.value?.memory.total_bytes ?? 0) >= gigabytes * 0.9e9;
  return (
    <details class="card catalog" open={isFor}>
      <summary>
        <h2>For {gigabytes} GB and more</h2>
        <span class="soft small">
          {isFor ? 'beside other services' : 'this machine has less'}, {counted(models.length, 'model')}
        </span>
      </summary>
      <ul class="plain">
        {models.map((model) => (
          <CatalogRow key={model.name} model={model} />
        ))}
      </ul>
    </details>
  );
}

/** Bits of a parameter, all tensors taken together: where nobody has measured the file. */
const bitsOf: Readonly<Record<string, number>> = { q8_0: 8.5, q5_k_m: 5.7, q4_k_m: 4.9, q3_k_m: 3.9, q2_k: 3.4 };

/** As the catalogue has it; else about, from its parameters. */
function sizeOf({ parameters: count }: AvailableModel, file: AvailableModel['quantizations'][number]): string {
  if (file.size_bytes !== null) return fileSize(file.size_bytes);
  const bits = bitsOf[file.quantization];
  return bits === undefined ? '' : `about ${fileSize((count * bits) / 8)}`;
}

function CatalogRow({ model }: { model: AvailableModel }) {
  const [first] = model.quantizations;
  const isAsked = asked.value.some(({ name, failure }) => name === model.name && failure === null);
  const facts = [
    model.kind !== 'chat' && (model.kind === 'embedding' ? 'for vectors' : 'for ranking'),
    `${parameters(model.parameters)} parameters`,
    model.active_parameters !== null && `${parameters(model.active_parameters)} for each token`,
    `${contextTokens(model.context_length)} tokens`,
    model.licence,
    model.note,
  ];
  return (
    <li class="catalog-row">
      <div>
        <strong>{model.title}</strong> <span class="mono soft">{model.name}</span>
        <p class="small soft">{facts.filter(Boolean).join(' · ')}</p>
        {model.advice && <p class="small soft">{model.advice.message}</p>}
      </div>
      <span class="small nowrap">
        {first && sizeOf(model, first)} <span class="soft">{first?.quantization}</span>
      </span>
      <span class="end">
        {model.on_disk ? (
          <span class="chip good">here</span>
        ) : (
          <Button
            icon="download"
            label={`Pull ${model.name}`}
            busy={isAsked}
            onPress={() => beginPull(model.name, 'auto')}
          >
            Pull
          </Button>
        )}
      </span>
    </li>
  );
}
