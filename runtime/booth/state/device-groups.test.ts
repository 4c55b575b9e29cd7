import { expect, test } from 'vitest';
import { scenarios } from '../../contracts/index.ts';
import { categories, groupsOf, pointsOf } from './device-groups.ts';
import { devicesFrom } from './devices.ts';
import { device, point } from './fixture.ts';

test('every device of every scenario has a place', () => {
  for (const scenario of scenarios) expect(categories).toContain(scenario.category);
  const groups = groupsOf(
    devicesFrom([
      device({ id: 'b', name: '2', scenario: 'elevator-monitoring' }),
      device({ id: 'a', name: '1', scenario: 'elevator-monitoring' }),
      device({ id: 'c', scenario: 'smoke-alarm' }),
      device({ id: 'd', scenario: 'of-a-later-version' }),
    ]),
  );
  expect([...groups].map(([name, members]) => [name, members.map(({ id }) => id)])).toEqual([
    ['gh-elevator', ['a', 'b']],
    ['gh-safety', ['c']],
    ['gh-core', ['d']],
  ]);
});

test('points are in the order of the contract, and only those that were ever told', () => {
  const lift = device({
    scenario: 'elevator-monitoring',
    points: { moving: point(true), floor: point(3), other: point(1) },
  });
  expect(pointsOf(lift)).toEqual(['floor', 'moving']);
});
