/** Puts together what the forecast needs: in the running gateway, and on the command line beside it. */
import type { ForecastClass, Measured, Packing, Part, PerClass } from './forecast.ts';
import type { Rates } from './rates.ts';
import { ROW_BYTES } from './rehearsal.ts';
import type { Stored } from './scan.ts';
import type { Class } from './schema.ts';
import type { StorageSettings } from './settings.ts';

/** About what a row takes in the indexes, where nobody needs to know it better. */
const INDEX_BYTES = { reading: 10, fact: 55 };
/** Content of a row where none has been seen yet. */
const USUAL_CONTENT = 110;
const ROLLUP_BYTES = 52;
const HOURS_PER_DAY = 24;

const tableBytesOf = ({ rows, bytes }: Stored): number => (rows > 0 ? bytes / rows : USUAL_CONTENT) + ROW_BYTES;
const indexBytesOf = (of: Class): number => (of === 'L3' || of === 'L4' ? INDEX_BYTES.reading : INDEX_BYTES.fact);

/** Bytes of the database one row takes, about. */
export const rowBytesOf = (of: Class, stored: Stored): number => tableBytesOf(stored) + indexBytesOf(of);

const perClass = (value: (of: ForecastClass) => number): PerClass => ({
  L0: value('L0'),
  L1: value('L1'),
  L2: value('L2'),
  L3: value('L3'),
  proof: value('proof'),
});

export interface Survey {
  readonly roomBytes: number;
  readonly usedBytes: number;
  readonly rates: Rates;
  readonly stored: Readonly<Record<Class, Stored>>;
  readonly parts: readonly Part[];
  readonly packing: Packing;
  /** Hourly figures that come in an hour, and of how many hours there are some. */
  readonly figures: { readonly perHour: number; readonly hours: number };
  readonly settings: StorageSettings;
  readonly clockTrusted: boolean;
  readonly alone: boolean;
}

export function measuredFrom(survey: Survey): Measured {
  const { settings, rates, stored, clockTrusted, alone } = survey;
  const days = (of: ForecastClass) =>
    of === 'L3' ? settings.rawDays : of === 'proof' ? settings.proofDays : settings.factDays;
  return {
    roomBytes: survey.roomBytes,
    usedBytes: survey.usedBytes,
    rates: perClass((of) => rates[of]),
    rowBytes: perClass((of) => tableBytesOf(stored[of])),
    packing: survey.packing,
    rollup: { bytesPerHour: survey.figures.perHour * ROLLUP_BYTES, hours: survey.figures.hours },
    stock: survey.parts,
    ...(clockTrusted ? { keepHours: perClass((of) => days(of) * HOURS_PER_DAY) } : {}),
    alone,
  };
}
