import { describe, expect, test } from 'vitest';
import { diffFlows, tabsWith, withTabsOff } from './flow-nodes.ts';

const nodes = [
  { id: 'a', type: 'tab', label: 'A' },
  { id: 'b', type: 'tab', label: 'B', info: 'what B is for' },
  { id: 'sub', type: 'subflow', name: 'S' },
  { id: 'inner', type: 'subflow', name: 'inside S' },
  { id: 'n1', type: 'function', z: 'a', func: 'x', x: 10, y: 10 },
  { id: 'n2', type: 'mqtt in', z: 'b', broker: 'config', x: 10, y: 10 },
  { id: 'config', type: 'mqtt-broker' },
  { id: 'deep', type: 'odd', z: 'inner' },
  { id: 'i1', type: 'subflow:inner', z: 'sub' },
  { id: 'i2', type: 'subflow:sub', z: 'b' },
];
const tabsOfNode = (id: string) => tabsWith(nodes, (node) => node.id === id);

describe('the tab of a node', () => {
  test.each([
    ['n1', ['a']],
    ['config', ['b']],
    ['deep', ['b']],
    ['sub', ['b']],
    ['a', ['a']],
    ['gone', []],
  ])('%s works on %j', (id, tabs) => expect(tabsOfNode(id)).toEqual(tabs));
});

test('a tab that is turned off says so once, above what it said before', () => {
  const once = withTabsOff(nodes, ['b'], 'first');
  const twice = withTabsOff(once, ['b'], 'second');
  expect(twice.find(({ id }) => id === 'b')).toEqual({
    ...{ id: 'b', type: 'tab', label: 'B', disabled: true },
    info: '> ⛔ second\nwhat B is for',
  });
  expect(twice.filter(({ id }) => id !== 'b')).toEqual(nodes.filter(({ id }) => id !== 'b'));
});

test('a diff names what was added, changed and removed, and positions are no change', () => {
  const after = nodes
    .filter(({ id }) => id !== 'config')
    .map((node) => (node.id === 'n1' ? { ...node, func: 'y', x: 99 } : node.id === 'n2' ? { ...node, y: 99 } : node));
  const changes = diffFlows(nodes, [...after, { id: 'new', type: 'debug', z: 'a', name: 'D' }]);
  expect(changes).toEqual([
    {
      ...{ change: 'changed', node: 'n1', type: 'function', label: 'function n1', tab: { id: 'a', label: 'A' } },
      fields: [{ field: 'func', before: 'x', after: 'y' }],
    },
    { change: 'added', node: 'new', type: 'debug', label: 'D', tab: { id: 'a', label: 'A' } },
    { change: 'removed', node: 'config', type: 'mqtt-broker', label: 'mqtt-broker config' },
  ]);
  expect(diffFlows(nodes, nodes)).toEqual([]);
});
