/** How much is kept for how long. A site may only ask for more (design.md 1). */
export interface StorageSettings {
  /** The database may grow to it; absent: half of the data partition. */
  readonly capBytes?: number;
  /** Days: readings, facts of lanes L0 to L2, audit and gaps, hourly figures. */
  readonly rawDays: number;
  readonly factDays: number;
  readonly proofDays: number;
  readonly rollupDays: number;
}

export const leastSettings = {
  rawDays: 30,
  factDays: 183,
  proofDays: 365,
  rollupDays: 731,
} as const satisfies StorageSettings;

/** Longer is taken, shorter is not. */
export function settingsFrom(asked: Partial<StorageSettings> = {}): StorageSettings {
  const atLeast = (name: keyof typeof leastSettings) => Math.max(leastSettings[name], asked[name] ?? 0);
  return {
    ...(asked.capBytes === undefined ? {} : { capBytes: asked.capBytes }),
    rawDays: atLeast('rawDays'),
    factDays: atLeast('factDays'),
    proofDays: atLeast('proofDays'),
    rollupDays: atLeast('rollupDays'),
  };
}
