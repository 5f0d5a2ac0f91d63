import type { FunctionComponent } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import { access } from '../api/api.ts';
import { failureOf } from '../api/failure.ts';
import { key } from '../api/key.ts';
import { line, live, retryNow } from '../api/live.ts';
import { Button } from '../parts/button.tsx';
import { Icon } from '../parts/icon.tsx';
import { FailureNotice, Notice, Waiting } from '../parts/notice.tsx';
import { type Screen, screens } from '../screens/screens.ts';
import { nowMs } from '../text/clock.ts';
import { route, to } from './route.ts';
import { SignIn, signOut } from './sign-in.tsx';
import { chooseTheme, theme } from './theme.ts';

const themes = [
  { id: 'system', text: 'As the device', icon: 'auto' },
  { id: 'light', text: 'Light', icon: 'sun' },
  { id: 'dark', text: 'Dark', icon: 'moon' },
] as const;

/** Everything around a screen: where one can go, how the line is, and the screen itself. */
export function Shell() {
  if (access.value === 'asked') return <SignIn />;
  const open = screens.filter(({ scope }) => access.value !== 'inference' || scope === 'inference');
  const screen = screens.find(({ id }) => id === route.value.screen) ?? open[0] ?? screens[0]!;
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        To the content
      </button>
      <Side open={open} current={screen} />
      <main id="main" tabIndex={-1}>
        <LineNotice />
        {access.value === 'inference' && screen.scope === 'admin' ? (
          <NotForThisKey title={screen.title} />
        ) : (
          <CurrentScreen key={screen.id} screen={screen} />
        )}
      </main>
      <Bottom open={open} current={screen} />
    </div>
  );
}

function Side({ open, current }: { open: readonly Screen[]; current: Screen }) {
  return (
    <nav class="side" aria-label="Screens">
      <a class="brand" href={to(open[0]?.id ?? '')}>
        <Mark />
        Hearth
      </a>
      {(['main', 'watch', 'manage'] as const).map((group) => {
        const some = open.filter((screen) => screen.group === group);
        return (
          some.length > 0 && (
            <ul key={group} class="plain">
              {some.map((screen) => (
                <li key={screen.id}>
                  <Link screen={screen} current={current} />
                </li>
              ))}
            </ul>
          )
        );
      })}
      <Foot />
    </nav>
  );
}

function Link({ screen, current }: { screen: Screen; current: Screen }) {
  return (
    <a class="link" href={to(screen.id)} aria-current={screen.id === current.id ? 'page' : undefined}>
      <Icon name={screen.icon} />
      <span>{screen.title}</span>
    </a>
  );
}

function Foot() {
  const server = live.value?.server;
  // There are two of these, one for each width.
  const group = useId();
  return (
    <div class="foot">
      <LineLight />
      <div class="themes" role="radiogroup" aria-label="Colours">
        {themes.map(({ id, text, icon }) => (
          <label key={id} title={text}>
            <input
              type="radio"
              name={group}
              class="hidden-but-read"
              checked={theme.value === id}
              onChange={() => chooseTheme(id)}
            />
            <Icon name={icon} size={15} />
            <span class="hidden-but-read">{text}</span>
          </label>
        ))}
      </div>
      {key.value !== null && (
        <Button kind="quiet" icon="lock" onPress={signOut}>
          Forget the key
        </Button>
      )}
      {server && <span class="soft version">Hearth {server.version}</span>}
    </div>
  );
}

function LineLight() {
  const server = live.value?.server;
  const { state } = line.value;
  if (state === 'lost') return <span class="light bad small">no connection</span>;
  if (access.value === 'inference') return <span class="light good small">key for answers</span>;
  if (state !== 'open' || !server) return <span class="light off small">connecting</span>;
  const word = { ready: 'ready', degraded: 'memory is short', unavailable: 'shutting down' }[server.state];
  return <span class={`light ${server.state === 'ready' ? 'good' : 'warn'} small`}>{word}</span>;
}

/** Says that the line is lost, and when it is tried again; what is on the screen stays, and is old. */
function LineNotice() {
  const now = line.value;
  if (now.state !== 'lost') return null;
  const seconds = Math.max(0, Math.ceil((now.retryAt - nowMs.value) / 1_000));
  return (
    <div class="line-notice">
      <FailureNotice title="The connection to Hearth is lost" failure={now.failure}>
        <Button icon="reload" onPress={retryNow}>
          Try now
        </Button>
        <span class="soft">{seconds > 0 ? `Next try in ${seconds} s` : 'Trying …'}</span>
      </FailureNotice>
    </div>
  );
}

/** Those in reach, and the others behind a word. */
function Bottom({ open, current }: { open: readonly Screen[]; current: Screen }) {
  const [isOpen, setOpen] = useState(false);
  const first = open.filter(({ group }) => group === 'main');
  const others = open.filter(({ group }) => group !== 'main');
  useEffect(() => setOpen(false), [current.id]);
  return (
    <nav
      class="bottom"
      aria-label="Screens"
      onKeyDown={(event) => {
        if (event.key === 'Escape') setOpen(false);
      }}
    >
      <ul class="plain">
        {first.map((screen) => (
          <li key={screen.id}>
            <Link screen={screen} current={current} />
          </li>
        ))}
        <li>
          <button
            type="button"
            class="link"
            aria-expanded={isOpen}
            aria-controls="more-screens"
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name={isOpen ? 'close' : 'more'} />
            <span>More</span>
          </button>
        </li>
      </ul>
      <div id="more-screens" class="sheet" hidden={!isOpen}>
        <ul class="plain">
          {others.map((screen) => (
            <li key={screen.id}>
              <Link screen={screen} current={current} />
            </li>
          ))}
        </ul>
        <Foot />
      </div>
    </nav>
  );
}

function NotForThisKey({ title }: { title: string }) {
  return (
    <Notice kind="warn" title={`${title} is not for this key`}>
      <p>It is one for answers. This screen needs a key with the scope admin.</p>
      <div class="row">
        <Button icon="lock" onPress={signOut}>
          Use another key
        </Button>
      </div>
    </Notice>
  );
}

/** A screen, once its code is there. */
function CurrentScreen({ screen }: { screen: Screen }) {
  const [loaded, setLoaded] = useState<{ Body: FunctionComponent } | { error: unknown } | null>(null);
  const load = () => {
    setLoaded(null);
    screen.load().then(
      (module) => setLoaded({ Body: module.default }),
      (error: unknown) => setLoaded({ error }),
    );
  };
  useEffect(load, [screen]);
  if (loaded === null) return <Waiting what={`${screen.title} is coming`} />;
  if ('Body' in loaded) return <loaded.Body />;
  return (
    <FailureNotice title={`${screen.title} could not be loaded`} failure={failureOf(loaded.error)}>
      <Button icon="reload" onPress={() => location.reload()}>
        Load the page again
      </Button>
    </FailureNotice>
  );
}

function Mark() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <path
        fill="var(--ember)"
        d="M16 3c1 5-5 7.500-6.500 12.500C8.300 19.600 10 23 12 24.500c-.6-3 .6-5.200 2.800-7 .2 2.400 1.400 3.400 2.800 4.700 1.300 1.200 1.400 2.600.9 4.300 3.700-1.600 5.600-4.900 5.200-8.700C23.200 12 17.600 9.300 16 3z"
      />
      <path fill="var(--soft)" d="M5 27h22v2.500H5z" />
    </svg>
  );
}
