/** Line icons, 24 x 24, drawn for this booth. */
const paths = {
  live: 'M12 3a6 6 0 0 0-6 6v4l-2 3h16l-2-3V9a6 6 0 0 0-6-6ZM9.5 19a2.5 2.5 0 0 0 5 0',
  gates: 'M4 21V9h4v12M8 12l13-6M8 16h2M3 21h9',
  search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM15.5 15.5 21 21',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  setup: 'M14 6a4 4 0 0 1 5-3l-3 3 2 2 3-3a4 4 0 0 1-5 5l-9 9-3-3 9-9Z',
  lock: 'M6 11h12v9H6ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  out: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  mute: 'M4 10v4h4l5 4V6l-5 4ZM17 9.5l5 5M22 9.5l-5 5',
  sound: 'M4 10v4h4l5 4V6l-5 4ZM16.5 9a4 4 0 0 1 0 6M19 6.5a7.5 7.5 0 0 1 0 11',
  in: 'M12 4v14M6 12l6 6 6-6',
  exit: 'M12 20V6M6 12l6-6 6 6',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M20 5H9l-6 7 6 7h11ZM12 9.5l5 5M17 9.5l-5 5',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  synced: 'M5 12.5 10 17 19 7',
  chain: 'M9 7H7a5 5 0 0 0 0 10h2M15 7h2a5 5 0 0 1 0 10h-2M8 12h8',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  check: 'M4 12.5 9.5 18 20 6.5',
  active: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM5 5l2 2M19 5l-2 2M5 19l2-2M19 19l-2-2',
  latched: 'M5 12a7 7 0 1 0 2.5-5.4M5 4v4h4M12 9v3.5l2.5 1.5',
  shelved: 'M4 4l16 16M9.5 19a2.5 2.5 0 0 0 5 0M6.5 8.5A6 6 0 0 0 6 9v4l-2 3h10M9.5 3.6A6 6 0 0 1 18 9v4l1 1.5',
  suppressed: 'M6 4v6h12v4M6 10v10M18 14v6M14 18l4 3 4-3',
  service: 'M5 12h14M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z',
  camera: 'M3 8h12v9H3ZM15 11l6-3v9l-6-3',
  phone: 'M6 3h3l1.5 5-2 1.5a11 11 0 0 0 6 6l1.5-2 5 1.5v3a2 2 0 0 1-2 2A16 16 0 0 1 4 5a2 2 0 0 1 2-2Z',
  clock: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM12 7v5l3.5 2',
  chart: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  devices: 'M4 5h16v10H4ZM9 19h6M12 15v4M8 9.5h3M13.5 9.5H16',
  linkage: 'M5 6a2.5 2.5 0 1 1 0 .1M19 6a2.5 2.5 0 1 1 0 .1M12 18a2.5 2.5 0 1 1 0 .1M7 8l4 7M17 8l-4 7M8 6h8',
  door: 'M6 21V4h12v17M3 21h18M14.5 12.5v1',
  down: 'M5 9l7 7 7-7',
  up: 'M5 15l7-7 7 7',
  car: 'M4 16v-4l2-5h12l2 5v4M4 16h16M4 16v2.5h3V16M17 16v2.5h3V16M6.5 12h11',
} as const;

export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
);
