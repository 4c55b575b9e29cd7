/** Puts together what the forecast needs: in the running gateway, and on the command line beside it. */
import { type ForecastClass, forecastClasses, type Measured, type Part, type PerClass } from './forecast.ts';
import type { Rates } from './rates.ts';
import type { Stored } from './scan.ts';
import type { Class } from './schema.ts';
import type { StorageSettings } from './settings.ts';

/**
 * What a row takes beside its content, in bytes: head, stamps and page of the row, and its entries in the indexes. Facts
 * are in more of them. A test compares it with a database.
 */
const ROW_BYTES = 47;
const FACT_BYTES = 80;
/** Content of a row where none has been seen yet. */
const USUAL_CONTENT = 110;
const ROLLUP_BYTES = 52;
const HOURS_PER_DAY = 24;

export const rowBytesOf = (of: Class, { rows, bytes }: Stored): number =>
  (rows > 0 ? bytes / rows : USUAL_CONTENT) + (of === 'L3' || of === 'L4' ? ROW_BYTES : FACT_BYTES);

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
  /** Points with hourly figures. */
  readonly points: number;
  readonly settings: StorageSettings;
  readonly clockTrusted: boolean;
  readonly alone: boolean;
}

export function measuredFrom(survey: Survey): Measured {
  const { settings, rates, stored, points, clockTrusted, alone } = survey;
  const days = (of: ForecastClass) =>
    of === 'L3' ? settings.rawDays : of === 'proof' ? settings.proofDays : settings.factDays;
  const active = forecastClasses.some((of) => rates[of] > 0);
  return {
    roomBytes: survey.roomBytes,
    usedBytes: survey.usedBytes,
    rates: perClass((of) => rates[of]),
    rowBytes: perClass((of) => rowBytesOf(of, stored[of])),
    otherBytesPerHour: active ? points * ROLLUP_BYTES : 0,
    stock: survey.parts,
    ...(clockTrusted ? { keepHours: perClass((of) => days(of) * HOURS_PER_DAY) } : {}),
    alone,
  };
}
