/**
 * Sunrise and sunset by the equations of the NOAA solar calculator (Meeus, Astronomical Algorithms): right within a minute
 * or two between the polar circles, where air refracts as usual and the horizon is flat. Pure.
 */
import type { Location } from '../../runtime/contracts/calendar.ts';

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const degrees = (angle: number): number => (angle * 180) / Math.PI;

/** The sun's upper edge at the horizon, refraction included. */
const ZENITH = 90.833;
const MINUTE_MS = 60_000;
const J2000_MS = Date.UTC(2000, 0, 1, 12);
const CENTURY_MS = 36_525 * 86_400_000;

/** @returns declination in degrees and equation of time in minutes */
function sunAt(at: number): { declination: number; equation: number } {
  const t = (at - J2000_MS) / CENTURY_MS;
  const mean = (280.46646 + t * (36_000.76983 + t * 0.0003032)) % 360;
  const anomaly = radians(357.52911 + t * (35_999.05029 - 0.0001537 * t));
  const eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t);
  const centre =
    Math.sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t)) +
    Math.sin(2 * anomaly) * (0.019993 - 0.000101 * t) +
    Math.sin(3 * anomaly) * 0.000289;
  const node = radians(125.04 - 1934.136 * t);
  const longitude = radians(mean + centre - 0.00569 - 0.00478 * Math.sin(node));
  const tilt = radians(23.4392911 - 0.0130042 * t + 0.00256 * Math.cos(node));
  const y = Math.tan(tilt / 2) ** 2;
  const l = radians(mean);
  const equation =
    4 *
    degrees(
      y * Math.sin(2 * l) -
        2 * eccentricity * Math.sin(anomaly) +
        4 * eccentricity * y * Math.sin(anomaly) * Math.cos(2 * l) -
        0.5 * y * y * Math.sin(4 * l) -
        1.25 * eccentricity * eccentricity * Math.sin(2 * anomaly),
    );
  return { declination: degrees(Math.asin(Math.sin(tilt) * Math.sin(longitude))), equation };
}

/**
 * @param date local date, `YYYY-MM-DD`
 * @returns ms UTC, or undefined where the sun does not cross the horizon that day
 */
export function sunTime(
  which: 'sunrise' | 'sunset',
  date: string,
  { latitude, longitude }: Location,
): number | undefined {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  let minute = 720 - 4 * longitude;
  // The sun moves on between noon and its setting: the second round looks where the first one arrived.
  for (let round = 0; round < 3; round++) {
    const { declination, equation } = sunAt(midnight + minute * MINUTE_MS);
    const cosine =
      Math.cos(radians(ZENITH)) / (Math.cos(radians(latitude)) * Math.cos(radians(declination))) -
      Math.tan(radians(latitude)) * Math.tan(radians(declination));
    if (cosine < -1 || cosine > 1) return undefined;
    const angle = degrees(Math.acos(cosine)) * (which === 'sunrise' ? 1 : -1);
    minute = 720 - 4 * (longitude + angle) - equation;
  }
  return Math.round(midnight + minute * MINUTE_MS);
}
