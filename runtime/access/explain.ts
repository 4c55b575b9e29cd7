/** Tells a guard in both languages why somebody may pass or not: dates as days ago, hours in site time. */
import type { Words } from '../contracts/words.ts';
import { fillIn } from '../devices/problem.ts';
import { type WallTime, wallTime } from '../devices/site-time.ts';
import { accessWords, dayWords, gapWords, listWords } from './access.words.ts';
import type { Moment, Pass, Reason, Schedule } from './decide.ts';

const COUNTED_DAYS = 30;

/** @param zoneName what people call a zone */
export function explainReason(
  reason: Reason,
  pass: Pass | undefined,
  moment: Moment,
  zoneName: (zone: string) => string,
): Words {
  const wall = (at: number) => wallTime(at, moment.timeZone);
  const now = () => wall(moment.at); // most are residents: their words name no time
  switch (reason) {
    case 'visitor': {
      if (pass?.validTo === undefined) return accessWords.visitor;
      return filled(accessWords.visitorUntil, { when: whenText(wall(pass.validTo), now()) });
    }
    case 'not-yet-valid':
      return filled(accessWords.notYetValid, { when: whenText(wall(pass?.validFrom ?? moment.at), now()) });
    case 'expired': {
      const end = pass?.validTo ?? moment.at;
      return expiredText(wall(end), wall(end - 1), now());
    }
    case 'outside-schedule':
      return pass?.schedule
        ? filled(accessWords.outsideSchedule, { hours: hoursText(pass.schedule) })
        : accessWords.unknown;
    case 'wrong-gate':
      return filled(accessWords.wrongGate, { zones: listed((pass?.zones ?? []).map((zone) => same(zoneName(zone)))) });
    default:
      return accessWords[reason];
  }
}

const same = (text: string): Words => ({ zh: text, en: text });

const filled = (words: Words, fill: Readonly<Record<string, Words | string>>): Words => {
  const inLanguage = (language: keyof Words) =>
    fillIn(
      words[language],
      Object.fromEntries(Object.entries(fill).map(([key, of]) => [key, typeof of === 'string' ? of : of[language]])),
    );
  return { zh: inLanguage('zh'), en: inLanguage('en') };
};

const listed = (parts: readonly Words[]): Words => ({
  zh: parts.map(({ zh }) => zh).join(listWords.zh),
  en: parts.map(({ en }) => en).join(listWords.en),
});

function whenText({ date, time, dayNumber }: WallTime, now: WallTime): Words {
  const ahead = dayNumber - now.dayNumber;
  const words = ahead === 0 ? accessWords.today : ahead === 1 ? accessWords.tomorrow : accessWords.onDate;
  return filled(words, { date, time });
}

/** @param last the last moment it was good: an end at midnight belongs to the day before */
function expiredText(end: WallTime, last: WallTime, now: WallTime): Words {
  const days = now.dayNumber - last.dayNumber;
  if (days === 0) return filled(accessWords.expiredToday, { time: end.time });
  if (days === 1) return accessWords.expiredYesterday;
  if (days <= COUNTED_DAYS) return filled(accessWords.expiredDaysAgo, { days: `${days}` });
  return filled(accessWords.expiredOn, { date: last.date });
}

function hoursText({ days, from, to }: Schedule): Words {
  const dayPart = days.length === 0 || new Set(days).size === 7 ? same('') : daysText(days);
  if (from === to) return dayPart;
  const hours = filled(from < to ? accessWords.hours : accessWords.hoursOverMidnight, { from, to });
  const gap = dayPart.en === '' ? same('') : gapWords;
  return { zh: `${dayPart.zh}${gap.zh}${hours.zh}`, en: `${dayPart.en}${gap.en}${hours.en}` };
}

/** Runs of three or more as a range: Mon to Fri, Sun. */
function daysText(days: readonly number[]): Words {
  const runs: number[][] = [];
  for (const day of [...new Set(days)].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run?.at(-1) === day - 1) run.push(day);
    else runs.push([day]);
  }
  const name = (day: number | undefined) => dayWords[(day ?? 1) - 1] ?? same('');
  return listed(
    runs.flatMap((run) =>
      run.length < 3 ? run.map(name) : [filled(accessWords.dayRange, { first: name(run[0]), last: name(run.at(-1)) })],
    ),
  );
}
