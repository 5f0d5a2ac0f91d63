/** Paths in a box of 24, drawn with a stroke. */
const paths = {
  memory: 'M4 7h16v10H4zM8 7v10M13 7v10M7 17v3M12 17v3M17 17v3M7 4v3M12 4v3M17 4v3',
  models: 'M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9',
  playground: 'M4 5h16v11H10l-4 4v-4H4z',
  requests: 'M4 6h10M4 12h16M4 18h7M17 4l3 2-3 2',
  providers: 'M7 18a4 4 0 010-8 5 5 0 019.600-1.200A4.600 4.600 0 0117 18z',
  costs:
    'M12 3v18M16.500 7.500C16 6 14 5.500 12 5.500c-2.500 0-4.500 1-4.500 3.200 0 4.600 9 2 9 6.600 0 2.200-2 3.200-4.500 3.200-2.300 0-4.300-.7-4.800-2.500',
  jobs: 'M4 5h16v5H4zM4 14h16v5H4zM8 7.500h.01M8 16.500h.01',
  connect:
    'M9 15l6-6M10.500 6.500l1.500-1.500a4.500 4.500 0 016.500 6.500L17 13M13.500 17.500L12 19a4.500 4.500 0 01-6.500-6.500L7 11',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  logs: 'M5 4h14v16H5zM8.500 8.500h7M8.500 12h7M8.500 15.500h4',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  check: 'M5 12.500l4.500 4.500L19 7',
  warn: 'M12 4l9 16H3zM12 10v4.500M12 17.500h.01',
  info: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 11v5.500M12 7.500h.01',
  search: 'M11 18a7 7 0 100-14 7 7 0 000 14zM16 16l5 5',
  pin: 'M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  stop: 'M7 7h10v10H7z',
  send: 'M5 12h13M13 6l6 6-6 6',
  download: 'M12 4v11M7 10.500l5 5 5-5M5 20h14',
  sun: 'M12 16a4 4 0 100-8 4 4 0 000 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600L7 7M17 17l1.400 1.400M5.600 18.400L7 17M17 7l1.400-1.400',
  moon: 'M19 14.500A8 8 0 119.500 5a6.500 6.500 0 009.500 9.500z',
  auto: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 3v18',
  lock: 'M6 11h12v9H6zM9 11V8a3 3 0 016 0v3',
  reload: 'M19 12a7 7 0 11-2-5l2 2M19 4v5h-5',
} as const;

export type IconName = keyof typeof paths;

/** A picture beside a word; it says nothing by itself to those who do not see it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={name === 'more' ? 3 : 1.7}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}
