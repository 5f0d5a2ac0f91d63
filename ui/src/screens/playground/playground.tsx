import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useLoaded } from '../../api/load.ts';
import type { ModelList } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { SelectField } from '../../parts/field.tsx';
import { Tabs } from '../../parts/tabs.tsx';
import { route } from '../../shell/route.ts';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { Chat } from './chat.tsx';
import { model, turns } from './chat-state.ts';
import { Decisions } from './decisions.tsx';
import { RequestCode } from './request-code.tsx';
import './playground.css';
import { RetryNotice } from '../../parts/retry-notice.tsx';

/** A model that may be asked, of this machine or elsewhere. */
interface Askable {
  id: string;
  owned_by: string;
  output_modalities: string[];
}

const tabs = [
  { id: 'chat', text: 'Chat' },
  { id: 'decisions', text: 'Decisions' },
  { id: 'code', text: 'As code' },
] as const;

/** To try what is there. */
export default function Playground() {
  const list = useLoaded<{ data: Askable[] }>('v1/models');
  const own = useLoaded<ModelList>('api/v1/models');
  const tab = useSignal<(typeof tabs)[number]['id']>('chat');
  const askable = (list.value?.data ?? []).filter(({ output_modalities }) => output_modalities.includes('text'));
  const named = route.value.query.get('model');
  useEffect(() => {
    if (named !== null) model.value = named;
  }, [named]);
  useEffect(() => {
    // The one that is loaded, so that nothing has to be; else the one that is asked where none is named.
    const first =
      own.value?.models.find(({ name, state }) => state === 'loaded' && askable.some(({ id }) => id === name))?.name ??
      own.value?.models.find(({ aliases }) => aliases.includes('default'))?.name ??
      askable[0]?.id;
    if (model.value === '' && first !== undefined && list.value !== null && !own.isLoading) model.value = first;
  }, [list.value, own.value]);
  const chosen = askable.find(({ id }) => id === model.value);
  const isAway = chosen !== undefined && chosen.owned_by !== 'hearth';
  return (
    <ScreenFrame
      title="Playground"
      summary="Nothing that is said here is kept: neither on this device nor on the server."
      actions={
        turns.value.length > 0 && (
          <Button
            onPress={() => {
              turns.value = [];
            }}
          >
            New conversation
          </Button>
        )
      }
    >
      <RetryNotice title="The models cannot be listed" failure={list.failure} onRetry={list.reload} />
      <div class="playground-model">
        <SelectField
          label="Model"
          value={model.value}
          onChange={(id) => {
            model.value = id;
          }}
          options={[
            ...(chosen || model.value === '' ? [] : [{ value: model.value, text: model.value }]),
            ...askable.map(({ id, owned_by }) => ({
              value: id,
              text: owned_by === 'hearth' ? id : `${id}, ${owned_by}: leaves the house`,
            })),
          ]}
        />
        {isAway && <span class="chip away">what you write leaves the house, to {chosen.owned_by}</span>}
      </div>
      <Tabs
        label="Ways to ask"
        tabs={tabs}
        chosen={tab.value}
        onChoose={(id) => {
          tab.value = id;
        }}
      >
        {tab.value === 'chat' && <Chat />}
        {tab.value === 'decisions' && <Decisions />}
        {tab.value === 'code' && <RequestCode />}
      </Tabs>
    </ScreenFrame>
  );
}
