import { useLoaded } from '../api/load.ts';
import { asked, beginPull } from '../api/pulling.ts';
import type { SuggestedModel } from '../api/types.ts';
import { fileSize, parameters } from '../text/format.ts';
import { Button } from './button.tsx';
import { Waiting } from './notice.tsx';
import { RetryNotice } from './retry-notice.tsx';

const paces = [
  { from: 30, word: 'quick' },
  { from: 12, word: 'to read along with' },
  { from: 5, word: 'unhurried' },
  { from: 0, word: 'slow' },
];

/** For a machine without models of its own: three that suit it, each one press away. */
export function FirstModels() {
  const list = useLoaded<{ models: SuggestedModel[] }>('api/v1/catalog/suggestions');
  const models = list.value?.models ?? [];
  if (list.value !== null && models.length === 0) return null;
  return (
    <section class="card" aria-labelledby="first-models">
      <header>
        <h2 id="first-models">Models that suit this machine</h2>
        <span class="soft small">
          The built-in one is there to try things. Larger ones know more, smaller ones are quicker.
        </span>
      </header>
      {list.isLoading && list.value === null && <Waiting what="Looking at the machine" />}
      <RetryNotice title="They cannot be listed" failure={list.failure} onRetry={list.reload} />
      <ul class="plain first-models">
        {models.map((model) => (
          <li key={model.name} data-suggested={model.name}>
            <h3>{model.title}</h3>
            <p class="small soft">
              {parameters(model.parameters)} parameters · {fileSize(model.size_bytes)} · {model.licence}
            </p>
            <p class="small">
              about <strong>{Math.max(1, Math.round(model.tokens_per_second))} tokens/s</strong>,{' '}
              {paces.find(({ from }) => model.tokens_per_second >= from)?.word}
            </p>
            <Button
              icon="download"
              label={`Pull ${model.name}`}
              busy={asked.value.some(({ name, failure }) => name === model.name && failure === null)}
              onPress={() => beginPull(model.name, 'auto')}
            >
              Pull
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
