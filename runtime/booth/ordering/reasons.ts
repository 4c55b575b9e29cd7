/** Why a gate or door was opened by hand (ux.md 7). */
export const openingReasons = [
  'visitor',
  'misread',
  'delivery',
  'emergency',
  'construction',
  'fault',
  'resident',
  'other',
] as const;
