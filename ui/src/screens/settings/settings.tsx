import { useSignal } from '@preact/signals';
import { useLoaded } from '../../api/load.ts';
import type { ConfigStatus, Setting } from '../../api/types.ts';
import { bound, TextField, TickField, ticked } from '../../parts/field.tsx';
import { Notice, Waiting } from '../../parts/notice.tsx';
import { ScreenFrame } from '../../shell/screen-frame.tsx';
import { moment } from '../../text/format.ts';
import { Reload } from './reload.tsx';
import { Validate } from './validate.tsx';
import './settings.css';
import { RetryNotice } from '../../parts/retry-notice.tsx';

/** Every setting with where it comes from; another configuration can be checked, and the file be read again. */
export default function Settings() {
  const status = useLoaded<ConfigStatus>('api/v1/config/status');
  const settings = useLoaded<{ settings: Setting[] }>('api/v1/config/settings');
  const reloadBoth = () => {
    status.reload();
    settings.reload();
  };
  const failure = status.failure ?? settings.failure;
  return (
    <ScreenFrame
      title="Settings"
      summary={
        status.value &&
        `${status.value.config_path ?? 'No file'}${status.value.config_path === null ? '' : `, read ${moment(status.value.last_reload)}`}`
      }
    >
      <RetryNotice title="The settings are not known" failure={failure} onRetry={reloadBoth} />
      {status.value?.error && (
        <Notice kind="bad" title="The file cannot be used; what was in force before still is">
          <p class="mono">{status.value.error}</p>
        </Notice>
      )}
      {status.value?.warnings.map((warning) => (
        <Notice key={warning} kind="warn">
          {warning}
        </Notice>
      ))}
      {status.value?.config_path && <Reload onReload={reloadBoth} />}
      {settings.value ? <List settings={settings.value.settings} /> : !failure && <Waiting what="Asking the server" />}
      <Validate />
    </ScreenFrame>
  );
}

function List({ settings }: { settings: readonly Setting[] }) {
  const wanted = useSignal('');
  const withDefaults = useSignal(false);
  const words = wanted.value.trim().toLowerCase();
  const shown = settings.filter(
    ({ name, origin }) => (withDefaults.value || words !== '' || origin !== 'default') && name.includes(words),
  );
  return (
    <section class="card stack" aria-labelledby="settings-all">
      <header>
        <h2 id="settings-all">In force</h2>
      </header>
      <div class="row settings-filter">
        <TextField label="Find a setting" type="search" {...bound(wanted)} />
        <TickField {...ticked(withDefaults)}>Also those at their default</TickField>
      </div>
      {shown.length === 0 ? (
        <p class="soft small">
          {words === '' ? 'Nothing is set; everything is at its default.' : 'There is no such setting.'}
        </p>
      ) : (
        <table class="table folds settings-table">
          <thead>
            <tr>
              <th>Setting</th>
              <th>Value</th>
              <th>From</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ name, value, origin }) => (
              <tr key={name} data-setting={name}>
                <td data-name="Setting" class="mono">
                  {name}
                </td>
                <td data-name="Value" class="mono">
                  {wordOf(value)}
                </td>
                <td data-name="From" class="soft" title={origin}>
                  {origin.split('/').at(-1)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function wordOf(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
