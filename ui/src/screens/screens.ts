import type { FunctionComponent } from 'preact';
import type { IconName } from '../parts/icon.tsx';

/** A screen: one folder beside this file, and one line below. */
export interface Screen {
  /** In the address: `#/memory`. */
  id: string;
  title: string;
  icon: IconName;
  /** `main`: always in reach, on a phone too. */
  group: 'main' | 'watch' | 'manage';
  /** What a key must be for to see it. */
  scope: 'inference' | 'admin';
  load: () => Promise<{ default: FunctionComponent }>;
}

/** Every screen, in the order in which they are listed. Their code comes when they are opened. */
export const screens: readonly Screen[] = [
  {
    id: 'memory',
    title: 'Memory',
    icon: 'memory',
    group: 'main',
    scope: 'admin',
    load: () => import('./memory/memory.tsx'),
  },
  {
    id: 'models',
    title: 'Models',
    icon: 'models',
    group: 'main',
    scope: 'admin',
    load: () => import('./models/models.tsx'),
  },
  {
    id: 'playground',
    title: 'Playground',
    icon: 'playground',
    group: 'main',
    scope: 'inference',
    load: () => import('./playground/playground.tsx'),
  },
  {
    id: 'requests',
    title: 'Requests',
    icon: 'requests',
    group: 'watch',
    scope: 'admin',
    load: () => import('./requests/requests.tsx'),
  },
  {
    id: 'costs',
    title: 'Costs',
    icon: 'costs',
    group: 'watch',
    scope: 'admin',
    load: () => import('./costs/costs.tsx'),
  },
  {
    id: 'providers',
    title: 'Providers',
    icon: 'providers',
    group: 'watch',
    scope: 'admin',
    load: () => import('./providers/providers.tsx'),
  },
  {
    id: 'jobs',
    title: 'Jobs',
    icon: 'jobs',
    group: 'watch',
    scope: 'admin',
    load: () => import('./jobs/jobs.tsx'),
  },
  {
    id: 'connect',
    title: 'Connect',
    icon: 'connect',
    group: 'manage',
    scope: 'admin',
    load: () => import('./connect/connect.tsx'),
  },
  {
    id: 'settings',
    title: 'Settings',
    icon: 'settings',
    group: 'manage',
    scope: 'admin',
    load: () => import('./settings/settings.tsx'),
  },
  {
    id: 'logs',
    title: 'Logs',
    icon: 'logs',
    group: 'manage',
    scope: 'admin',
    load: () => import('./logs/logs.tsx'),
  },
];
