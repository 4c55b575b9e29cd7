/** A flow that ends its process again and again is turned off, by name, and the others run: real children, one fault each. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restartLimits } from '../runtime/flows/restarts.ts';
import { escaped, type FlowsRig, good, runs, startFlowsRig, tab } from './flows.fixture.ts';

/** Two endings instead of three, each within moments: the count itself is tested without children. */
const restarts = { ...restartLimits, firstMs: 20, longestMs: 100, strikes: 2 };
const DETECTED_MS = 12_000;

type Node = { readonly id: string; readonly disabled?: boolean; readonly info?: string };
const nodesOf = (rig: FlowsRig) =>
  JSON.parse(readFileSync(join(rig.directory, 'flows', 'flows.json'), 'utf8')) as Node[];

/** The tab `lane` is off and says why, `good` runs, and the history has it all. */
async function expectOff(rig: FlowsRig, why: string, node = 'code'): Promise<void> {
  const well = await rig.changes.next(
    ({ status }) => status.state === 'running' && rig.history.off().length > 0,
    40_000,
  );
  expect(well).toMatchObject({ alarm: false });
  expect(rig.flows.state().off).toMatchObject([{ tab: 'lane', label: 'lane', why, node }]);
  const [lane, other] = ['lane', 'good'].map((id) => nodesOf(rig).find((one) => one.id === id));
  expect(lane?.disabled).toBe(true);
  expect(lane?.info).toMatch(/^> ⛔ \d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC system:flows 已停用 turned off: /);
  expect(other?.disabled).toBeUndefined();
  expect(rig.history.list(1)).toMatchObject([{ author: 'system:flows', origin: 'off', tabs: [{ label: 'lane' }] }]);
  const seen = rig.log.items.length;
  await rig.log.find(({ msg }) => msg === 'good runs', 20_000);
  expect(rig.log.items.slice(seen).some(({ msg }) => msg === 'fault')).toBe(false);
}

/** What a tab does to the process, and what that may be called: a heap that fills up may hang first. */
const faults: readonly (readonly [name: string, why: readonly string[], code: string, more?: object])[] = [
  ['a loop that no timeout interrupts', ['silent'], `setTimeout(() => { while (true) {} }, 1);`],
  ['a loop behind an await', ['silent'], `await new Promise((go) => setTimeout(go, 5)); while (true) {}`],
  ['a loop in a promise', ['silent'], `Promise.resolve().then(() => { while (true) {} });`],
  ['process.exit', ['exit'], escaped('process.exit(3);')],
  [
    'a throw nobody catches',
    ['exit'],
    escaped(`process.getBuiltinModule('node:timers').setTimeout(() => { throw new Error('async throw'); }, 5);`),
  ],
  ['a rejection nobody catches', ['exit'], `Promise.reject(new Error('never caught'));`],
  [
    'a heap that is full',
    ['memory', 'silent'],
    `const all = []; for (;;) all.push(new Array(1000).fill(0).map(() => ({ x: 1 })));`,
  ],
  [
    'buffers beyond every measure',
    ['memory', 'silent'],
    `const all = []; try { for (;;) all.push(Buffer.alloc(64 << 20, 1)); } catch { context.set('all', all); }`,
  ],
  ['a loop of messages', ['flood'], 'return msg;', { wires: [['code-8']] }],
];

const faulty = faults.flatMap(([name, , code, more], index) =>
  runs(`if (context.get('told') !== true) node.warn('fault'); context.set('told', true); ${code}`, more).map((node) => {
    const { id, z } = node as { id: string; z?: string };
    const wires = id === 'once' ? { wires: [[`code-${index}`]] } : {};
    return { ...node, ...wires, id: `${id}-${index}`, ...(z ? { z: `${z}-${index}` } : { label: name }) };
  }),
);

test('R9 V2 V3: nine tabs, each with a fault of its own: each is found, named and off, and the good one runs', {
  timeout: 180_000,
}, async () => {
  const rig = await startFlowsRig([...faulty, ...good], {
    ...{ restarts: { ...restarts, strikes: 1 }, functionTimeout: 0, silentMs: 1500 },
  });
  await using _ = rig;
  const offOf = () => rig.flows.state().off ?? [];
  await rig.changes.find(({ status }) => status.state === 'running' && offOf().length === faults.length, 150_000);
  const byTab = new Map(offOf().map((one) => [one.tab, one]));
  for (const [index, [name, why]] of faults.entries()) {
    const off = byTab.get(`lane-${index}`);
    expect({ label: off?.label, node: off?.node }, name).toEqual({ label: name, node: `code-${index}` });
    expect(why, name).toContain(off?.why);
  }
  expect(byTab.get('lane-4')?.detail).toMatch(/^Error: async throw/);
  expect(byTab.get('lane-5')?.detail).toMatch(/^Error: never caught/);
  // One ending each: nobody was turned off for what another did, and nobody had to be tried twice.
  expect(rig.flows.state()).toMatchObject({ state: 'running', restarts: faults.length });
  expect(nodesOf(rig).filter(({ disabled }) => disabled === true)).toHaveLength(faults.length);
  await rig.log.next(({ msg }) => msg === 'good runs', 20_000);
});

test('R9 V2: a tab is turned off at its second ending here (its third on site), says so, and the history has it', {
  timeout: 60_000,
}, async () => {
  const rig = await startFlowsRig([...runs(escaped('process.exit(3);')), ...good], { restarts });
  await using _ = rig;
  expect(await rig.state('down')).toMatchObject({ reason: 'exit', alarm: false, status: { restarts: 1 } });
  expect(rig.flows.state().off).toBeUndefined();
  await expectOff(rig, 'exit');
  expect(rig.flows.state().restarts).toBe(2);
  expect(rig.records('flows.tab.off').map(({ data, actor }) => ({ data, actor }))).toEqual([
    { actor: 'system:flows', data: expect.objectContaining({ tab: 'lane', why: 'exit', node: 'code' }) },
  ]);
});

// Alone: what is said to the core is heard a moment later, when another tab that never rests may be at work.
test('R9 V2: nonsense to the core has a name, too', async () => {
  const nonsense = escaped(`for (let n = 0; n < 5000; n++) process.send({ is: 'beat', rss: 1 });`);
  const rig = await startFlowsRig([...runs(nonsense), ...good], { restarts: { ...restarts, strikes: 1 } });
  await using _ = rig;
  await expectOff(rig, 'noise');
}, 60_000);

test('R9 a loop in a closing node ends with the deploy that runs into it, and counts for its tab', async () => {
  const close = runs(`node.on('close', () => { while (true) {} });`);
  const rig = await startFlowsRig([...close, ...good], { restarts: { ...restarts, strikes: 1 }, functionTimeout: 0 });
  await using _ = rig;
  await rig.log.find(({ msg }) => msg === 'good runs', 20_000);
  await rig.flows.openEditor(Date.now() + 60_000);
  const began = performance.now();
  rig.flows.reload();
  expect(await rig.state('down')).toMatchObject({ reason: 'silent' });
  expect(performance.now() - began).toBeLessThan(DETECTED_MS);
  await expectOff(rig, 'silent');
}, 60_000);

test('R9 a close that never says it is done holds up a deploy for three seconds, and nothing else', async () => {
  const rig = await startFlowsRig([...runs(`node.on('close', (done) => {});`), ...good]);
  await using _ = rig;
  await rig.log.find(({ msg }) => msg === 'good runs', 20_000);
  const began = performance.now();
  rig.flows.reload();
  await rig.log.next(({ msg }) => msg === 'good runs', 20_000);
  expect(performance.now() - began).toBeLessThan(DETECTED_MS);
  await rig.log.find(({ level, node, msg }) => level === 50 && node === 'code' && /timed out/i.test(msg));
  expect(rig.flows.state()).toMatchObject({ state: 'running', restarts: 0 });
});

test('R9 a node type that is missing turns off the tab that wants it, at once; the others run', async () => {
  const rig = await startFlowsRig([
    tab,
    { id: 'code', type: 'gh-not-there', z: 'lane', x: 1, y: 1, wires: [] },
    { id: 'sub', type: 'subflow', name: 'inner' },
    { id: 'inside', type: 'gh-inside', z: 'sub', x: 1, y: 1, wires: [] },
    { id: 'third', type: 'tab', label: 'third' },
    { id: 'instance', type: 'subflow:sub', z: 'third', x: 1, y: 1, wires: [] },
    ...good,
  ]);
  await using _ = rig;
  await rig.log.find(({ msg }) => msg === 'good runs', 20_000);
  const off = rig.flows.state().off?.map(({ tab: id, why, detail }) => [id, why, detail]);
  const types = 'gh-not-there, gh-inside';
  expect(off).toEqual([
    ['lane', 'missing-types', types],
    ['third', 'missing-types', types],
  ]);
  expect(rig.flows.state()).toMatchObject({ state: 'running', restarts: 0 });
});

test('R9 N8 a flow file that was damaged or changed past a deploy gives way to what was deployed', async () => {
  const rig = await startFlowsRig([tab, ...good]);
  await using _ = rig;
  await rig.log.find(({ msg }) => msg === 'good runs', 20_000);
  const file = join(rig.directory, 'flows', 'flows.json');
  for (const [content, kind] of [
    ['[{"id":"a","ty', 'broken'],
    [JSON.stringify(runs('node.warn("slipped in");')), 'changed'],
  ] as const) {
    writeFileSync(file, content);
    const restartsBefore = rig.flows.state().restarts;
    process.kill(rig.flows.pid() ?? 0, 'SIGKILL');
    await rig.changes.next(({ status }) => status.state === 'running' && status.restarts > restartsBefore, 20_000);
    expect(nodesOf(rig).map(({ id }) => id)).toEqual(['lane', 'good', 'tick', 'tock']);
    const kept = (rig.records('flows.file.refused').at(-1)?.data as { kept: string } | undefined)?.kept ?? '';
    expect(kept).toMatch(new RegExp(`^flows\\.${kind}-`));
    expect(readFileSync(join(rig.directory, 'flows', kept), 'utf8')).toBe(content);
  }
  expect(rig.log.items.some(({ msg }) => msg === 'slipped in')).toBe(false);
});
