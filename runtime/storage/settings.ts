/** How much is kept for how long. A site may only ask for more (design.md 1). */
export interface StorageSettings {
  /** The database may grow to it; absent: half of the data partition. */
  readonly capBytes?: number;
  /** Days: readings, facts of lanes L0 to L2, audit and gaps, hourly figures. */
  readonly rawDays: number;
  readonly factDays: number;
  readonly proofDays: number;
  readonly rollupDays: number;
  /** Room of pictures and clips; absent: a fifth of the data partition. They stay as many days as facts. */
  readonly pictureBytes?: number;
}

const leastSettings = {
  rawDays: 30,
  factDays: 183,
  proofDays: 365,
  rollupDays: 731,
} as const satisfies StorageSettings;

/** As the site file has it, section `storage`. */
export interface AskedSettings {
  readonly gigabytes?: number | undefined;
  readonly readingDays?: number | undefined;
  readonly factDays?: number | undefined;
  readonly auditDays?: number | undefined;
  readonly hourlyDays?: number | undefined;
  readonly pictureGigabytes?: number | undefined;
}

const GB = 2 ** 30;

/** Longer is taken, shorter is not. */
export function settingsFrom(asked: AskedSettings = {}): StorageSettings {
  const { gigabytes, readingDays = 0, factDays = 0, auditDays = 0, hourlyDays = 0, pictureGigabytes } = asked;
  return {
    ...(gigabytes === undefined ? {} : { capBytes: gigabytes * GB }),
    ...(pictureGigabytes === undefined ? {} : { pictureBytes: pictureGigabytes * GB }),
    rawDays: Math.max(leastSettings.rawDays, readingDays),
    factDays: Math.max(leastSettings.factDays, factDays),
    proofDays: Math.max(leastSettings.proofDays, auditDays),
    rollupDays: Math.max(leastSettings.rollupDays, hourlyDays),
  };
}
