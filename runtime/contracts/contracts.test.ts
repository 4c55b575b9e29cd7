import { Compile } from 'typebox/compile';
import { describe, expect, test } from 'vitest';
import type { Scenario } from './contract.ts';
import { gatewayScenario } from './gateway.ts';
import { scenarioOf, scenarios } from './index.ts';
import { formatPosition, parsePosition } from './record.ts';
import type { Words } from './words.ts';

const hasBoth = (words: Words) => expect(words.zh.trim() && words.en.trim(), JSON.stringify(words)).toBeTruthy();
const all: readonly Scenario[] = [...scenarios, gatewayScenario];

describe.each(all.map((scenario) => [scenario.id, scenario] as const))('%s', (_id, scenario) => {
  test('everything a person sees is there in both languages', () => {
    hasBoth(scenario.title);
    for (const words of Object.values(scenario.roles)) hasBoth(words);
    for (const { words } of Object.values(scenario.events)) hasBoth(words);
    for (const { words, interlocks = [], forbiddenWhile = [] } of Object.values(scenario.commands)) {
      hasBoth(words);
      for (const lock of [...interlocks, ...forbiddenWhile]) hasBoth(lock.words);
    }
    const described = [
      ...Object.values(scenario.telemetry),
      ...Object.values(scenario.events).flatMap((event) => Object.values(event.data.properties)),
    ];
    for (const schema of described as { description?: string; 'x-zh'?: string }[]) {
      hasBoth({ zh: schema['x-zh'] ?? '', en: schema.description ?? '' });
    }
  });

  test('an alarm without words, hint, steps and a priority with its reason cannot be enabled', () => {
    for (const [name, alarm] of Object.entries(scenario.alarms)) {
      hasBoth(alarm.words);
      hasBoth(alarm.hint);
      hasBoth(alarm.why);
      expect(alarm.steps.length, name).toBeGreaterThan(0);
      expect(alarm.steps.length, name).toBeLessThanOrEqual(4);
      for (const step of alarm.steps) hasBoth(step);
      if (alarm.severity === 'critical') expect(alarm.priority, name).toBe(1);
      if (alarm.clearsFalse) expect(alarm.latching, `${name}: only what latches is there to be cleared`).toBe(true);
    }
  });

  test('a siren of the escalation takes the input it is sounded with, from a linkage, and can be ended', () => {
    for (const [name, { escalates, input, allow }] of Object.entries(scenario.commands)) {
      if (!escalates) continue;
      expect(Compile(input).Check(escalates.input), name).toBe(true);
      expect(allow, name).toContain('linkage');
      if (escalates.stop !== undefined) expect(scenario.commands[escalates.stop]?.allow, name).toContain('linkage');
    }
  });

  test('conditions, interlocks and proofs speak of points of the contract, with values those points can have', () => {
    const fits = (point: string, value: unknown) => {
      const schema = scenario.telemetry[point];
      expect(schema, point).toBeDefined();
      if (schema) expect(Compile(schema).Check(value), `${point} = ${String(value)}`).toBe(true);
    };
    for (const { when } of Object.values(scenario.alarms)) {
      if (!when) continue;
      if ('equals' in when) fits(when.point, when.equals);
      else if ('above' in when) expect(when.clearAt).toBeLessThan(when.above);
      else expect(when.clearAt).toBeGreaterThan(when.below);
      expect(scenario.telemetry).toHaveProperty([when.point]);
    }
    for (const command of Object.values(scenario.commands)) {
      if (command.proof) fits(command.proof.point, 'equals' in command.proof ? command.proof.equals : 0);
      for (const lock of command.interlocks ?? []) fits(lock.point, lock.mustBe);
      for (const { alarm, scenario: other = scenario.id } of command.forbiddenWhile ?? [])
        expect(scenarioOf(other)?.alarms, other).toHaveProperty([alarm]);
      if (command.usedBy !== undefined) expect(scenario.events).toHaveProperty([command.usedBy]);
    }
  });

  test('F1 F2 F3 what is held has a time and a release that nothing can forbid', () => {
    for (const [name, { lease }] of Object.entries(scenario.commands)) {
      if (!lease) continue;
      const release = scenario.commands[lease.release];
      expect(lease.longestMs, name).toBeLessThanOrEqual(60_000);
      expect(release, lease.release).toMatchObject({ acts: 'device' });
      for (const limit of ['interlocks', 'forbiddenWhile', 'perMinute', 'lease'] as const)
        expect(release?.[limit], `${lease.release} ${limit}`).toBeUndefined();
      expect(release?.output, lease.release).toBe(scenario.commands[name]?.output);
      const input = release && Compile(release.input);
      expect(input?.Check({}), `${lease.release} needs no input`).toBe(true);
    }
  });

  test('F8 an emergency opening needs nothing and nothing forbids it', () => {
    for (const [name, kind] of Object.entries(scenario.commands)) {
      if (!kind.emergency) continue;
      expect(Compile(kind.input).Check({}), name).toBe(true);
      for (const limit of ['interlocks', 'forbiddenWhile', 'lease'] as const) expect(kind[limit], name).toBeUndefined();
      expect(kind.acts, name).toBe('device');
    }
  });

  test('C2 no command may wait longer than a minute', () => {
    for (const command of Object.values(scenario.commands)) expect(command.deadlineMs).toBeLessThanOrEqual(60_000);
  });
});

test('ids are unique and found', () => {
  expect(new Set(all.map((scenario) => scenario.id)).size).toBe(all.length);
  for (const scenario of all) expect(scenarioOf(scenario.id)).toBe(scenario);
  expect(scenarioOf('nothing')).toBeUndefined();
});

test('plates are personal data wherever they are stated', () => {
  const marked = JSON.stringify(scenarioOf('vehicle-gate')?.events.passage?.data.properties.plate);
  expect(JSON.parse(marked)).toMatchObject({ 'x-personal': true });
});

test('a position is written and read as epoch:seq, and nothing else is one', () => {
  expect(parsePosition(formatPosition({ epoch: 3, seq: 12 }))).toEqual({ epoch: 3, seq: 12 });
  for (const text of ['', '3', '3:', ':1', '-1:2', '1:2:3', '1:1e3', '99999:1'])
    expect(parsePosition(text), text).toBeUndefined();
});

/** The most a minute at one output (reliability.md C9). */
const perMinute = {
  ...{ 'vehicle-gate': 6, 'pedestrian-gate': 6 },
  ...{ 'elevator-monitoring': 2, 'ebike-elevator-alarm': 2, 'ebike-charging': 2, 'ev-charging': 2 },
};
/** These only make safe, or say something: as often as it takes. */
const unlimited = ['endHold', 'endLock', 'release', 'unlock', 'cutZone', 'speak'];

test.each(Object.entries(perMinute))(
  'C9 %s: what moves something has its rate, what makes safe has none',
  (id, most) => {
    const commands = Object.entries(scenarioOf(id)?.commands ?? {});
    expect(commands.length).toBeGreaterThan(0);
    for (const [name, kind] of commands) {
      if (unlimited.includes(name)) expect(kind.perMinute, name).toBeUndefined();
      else expect(kind.perMinute, name).toBe(most);
    }
  },
);
