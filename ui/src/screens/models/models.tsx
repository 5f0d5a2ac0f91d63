import { useSignal } from '@preact/signals';
import { live, part } from '../../api/live.ts';
import { useLoaded } from '../../api/load.ts';
import type { Model, ModelList } from '../../api/types.ts';
import { Notice, Waiting } from '../../parts/notice.tsx';
import { Pulls } from '../../parts/pulls.tsx';
import { Tabs } from '../../parts/tabs.tsx';
import { go, route } from '../../shell/route.ts';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { counted, fileSize } from '../../text/format.ts';
import { GetModels } from './get-models.tsx';
import { ModelCard } from './model-card.tsx';
import './models.css';
import { RetryNotice } from '../../parts/retry-notice.tsx';

const pulls = part('pulls');

/** What is on disk and what could be: to load, to end, to bring, to delete. */
export default function Models() {
  const residents = live.value?.models ?? [];
  const isHere = (pulls.value ?? []).filter(({ state }) => state === 'done').length;
  const list = useLoaded<ModelList>('api/v1/models', {}, [
    // Whatever comes or goes changes what fits.
    residents.map(({ name, state }) => `${name} ${state}`).join(),
    isHere,
  ]);
  const chosen = route.value.query.get('tab') === 'get' ? 'get' : 'here';
  const models = sorted((list.value?.models ?? []).map((model) => ({ ...model, ...residents.find(isOf(model)) })));
  const bytes = models.reduce((sum, { variants }) => sum + variants.reduce((all, one) => all + one.size_bytes, 0), 0);
  return (
    <ScreenFrame
      title="Models"
      summary={list.value && `${counted(models.length, 'model')} on disk, ${fileSize(bytes)}`}
    >
      <Pulls />
      <Tabs
        label="Models"
        tabs={[
          { id: 'here', text: 'On this machine' },
          { id: 'get', text: 'Get more' },
        ]}
        chosen={chosen}
        onChoose={(id) => go('models', id === 'get' ? { tab: 'get' } : {})}
      >
        {chosen === 'get' ? (
          <GetModels />
        ) : (
          <>
            <RetryNotice title="The models cannot be listed" failure={list.failure} onRetry={list.reload} />
            {list.value === null && list.isLoading && <Waiting what="Looking at the model folder" />}
            <OwnModels models={models} onChange={list.reload} />
            {(list.value?.left_out ?? []).map((sentence) => (
              <Notice key={sentence} kind="warn" title="Not listed">
                {sentence}
              </Notice>
            ))}
          </>
        )}
      </Tabs>
    </ScreenFrame>
  );
}

function OwnModels({ models, onChange }: { models: readonly Model[]; onChange: () => void }) {
  const wanted = useSignal('');
  const word = wanted.value.trim().toLowerCase();
  const shown = models.filter(({ name, aliases }) =>
    [name, ...aliases].some((one) => one.toLowerCase().includes(word)),
  );
  return (
    <>
      {models.length > 6 && (
        <input
          type="search"
          class="input models-filter"
          placeholder="Find among them"
          aria-label="Find among them"
          value={wanted.value}
          onInput={(event) => {
            wanted.value = event.currentTarget.value;
          }}
        />
      )}
      <ul class="plain stack tight">
        {shown.map((model) => (
          <ModelCard key={model.name} model={model} onChange={onChange} />
        ))}
      </ul>
      {shown.length === 0 && models.length > 0 && <p class="soft small">None is called that.</p>}
    </>
  );
}

const isOf =
  ({ name }: Model) =>
  (other: Model) =>
    other.name === name;

/** Those in memory first. */
function sorted(models: readonly Model[]): Model[] {
  const rank = ({ state }: Model) => (state === 'loaded' ? 0 : state === 'loading' ? 1 : state === 'invalid' ? 3 : 2);
  return [...models].sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
}
