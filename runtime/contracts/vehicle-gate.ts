/**
 * Vehicle gate 车辆道闸 (requirements 1.2): what a lane with a barrier and a plate camera is to the gateway.
 * `vehicle.entered` and `vehicle.exited` of the requirements are one event here, `passage`, with a direction.
 */
import { type Static, Type } from 'typebox';
import { defineScenario, type Reaction, type SiteView } from './contract.ts';
import { offline } from './parts.ts';
import type { JournalRecord } from './record.ts';
import { personal, says } from './words.ts';

const plate = personal(Type.String({ maxLength: 16, ...says('Plate; absent if unread.', '号牌号码') }));
const direction = Type.Enum(['in', 'out'], says('Seen from the compound.', '通行方向'));
const plateColour = Type.Enum(
  ['blue', 'yellow', 'white', 'black', 'green', 'yellow-green', 'unknown'],
  says('Plate colour.', '号牌颜色'),
);

const plateRead = Type.Object(
  {
    plate: Type.Optional(plate),
    colour: Type.Optional(plateColour),
    confidence: Type.Optional(
      Type.Number({ minimum: 0, maximum: 100, ...says('Confidence of the reading.', '置信度', '%') }),
    ),
    trigger: Type.Enum(
      ['video', 'input', 'software', 'stay', 'stay-end', 'turned-back'],
      says('Why the camera read.', '触发方式'),
    ),
    stored: Type.Boolean(says('Sent late from the memory of the camera: booked, never acted on.', '补传')),
    serial: Type.Optional(Type.String({ maxLength: 64, ...says('Serial number of the camera.', '相机序列号') })),
    picture: Type.Optional(Type.String({ maxLength: 64, ...says('SHA-256 of the picture.', '照片摘要') })),
  },
  says('A camera has seen a plate.', '识别到号牌'),
);

const passage = Type.Object(
  {
    direction,
    plate: Type.Optional(plate),
    gate: Type.String(says('Barrier.', '道闸')),
    openedBy: Type.Optional(Type.String(says('Who opened: user:, flow:, platform:.', '放行者'))),
    command: Type.Optional(Type.String(says('The open command.', '开闸指令'))),
    occupiedMs: Type.Integer({ minimum: 0, ...says('Time on the loop.', '占用时长', 'ms') }),
  },
  says('One vehicle passed; written once the loop is free again.', '车辆通行'),
);

/** A manual opening takes the plate the camera last read in the lane, if it was this recent. */
const PLATE_FRESH_MS = 120_000;
/** The arm may leave "closed" so long after an open order; later it was somebody's hands. */
const ORDER_MOVES_WITHIN_MS = 15_000;

interface Lane {
  plate?: { text?: string; at: number; cause: string };
  order?: { at: number; command: string; actor?: string; until: number };
  occupiedSince?: number;
  passed: boolean;
  armOpen: boolean;
  leftClosedAt?: number;
}
interface Memory {
  lanes: Record<string, Lane>;
}

function step(memory: Memory, record: JournalRecord, site: SiteView): Reaction[] {
  const device = site.device(record.device);
  if (!device) return [];
  const lane = memory.lanes[device.zone] ?? { passed: false, armOpen: false };
  memory.lanes[device.zone] = lane;
  if (record.kind === 'event' && record.name === 'plate.read') {
    const read = record.data as Static<typeof plateRead>;
    if (!read.stored && record.quality === 'good')
      lane.plate = { ...(read.plate === undefined ? {} : { text: read.plate }), at: record.received, cause: record.id };
    return [];
  }
  if (record.kind === 'event' && record.name === 'vehicle.unrecognised') {
    if ((record.data as { reason: string }).reason !== 'blocked') return [];
    const about = { device: record.device, cause: record.id };
    return [
      { raise: 'blacklisted', ...about },
      { clear: 'blacklisted', ...about }, // a car at the gate is a moment; the alarm waits for its acknowledgement
    ];
  }
  if (record.kind === 'command' && (record.name === 'open' || record.name === 'lockOpen')) return ordered(lane, record);
  if (record.kind !== 'telemetry' || record.quality !== 'good') return [];
  if (record.name === 'barrierState') return armMoved(lane, record);
  if (record.name === 'loopOccupied')
    return loopChanged(lane, record, device.settings.direction === 'out' ? 'out' : 'in');
  return [];
}

function ordered(lane: Lane, record: JournalRecord): Reaction[] {
  const { command, state, input } = record.data as { command: string; state: string; input?: { holdSeconds?: number } };
  if (state !== 'executing') return [];
  const holdMs = (input?.holdSeconds ?? 0) * 1000;
  lane.order = {
    at: record.received,
    command,
    until: record.received + ORDER_MOVES_WITHIN_MS + holdMs,
    ...(record.actor === undefined ? {} : { actor: record.actor }),
  };
  lane.passed = false;
  return [];
}

function armMoved(lane: Lane, record: JournalRecord): Reaction[] {
  const was = lane.armOpen;
  lane.armOpen = record.data !== 'closed';
  if (!lane.armOpen) {
    if (!was) return [];
    // The order that opened it is used up; one given since then still counts.
    if (lane.order && lane.order.at <= (lane.leftClosedAt ?? 0)) lane.order.until = record.received;
    return [{ clear: 'forced', device: record.device, cause: record.id }];
  }
  if (!was) lane.leftClosedAt = record.received;
  if (was || (lane.order && record.received <= lane.order.until)) return [];
  return [{ raise: 'forced', device: record.device, cause: record.id }];
}

function loopChanged(lane: Lane, record: JournalRecord, way: 'in' | 'out'): Reaction[] {
  if (record.data === true) {
    lane.occupiedSince = record.received;
    return [];
  }
  const since = lane.occupiedSince;
  delete lane.occupiedSince;
  if (since === undefined || !lane.armOpen) return [];
  const tailgating = lane.passed;
  lane.passed = true;
  const fresh = !tailgating && lane.plate && since - lane.plate.at <= PLATE_FRESH_MS ? lane.plate : undefined;
  delete lane.plate;
  const data: Static<typeof passage> = {
    direction: way,
    gate: record.device,
    occupiedMs: Math.max(0, record.received - since),
    ...(fresh?.text === undefined ? {} : { plate: fresh.text }),
    ...(lane.order === undefined ? {} : { command: lane.order.command }),
    ...(lane.order?.actor === undefined ? {} : { openedBy: lane.order.actor }),
  };
  const reactions: Reaction[] = [{ event: 'passage', device: record.device, data, cause: fresh?.cause ?? record.id }];
  if (tailgating) {
    reactions.push({ raise: 'tailgating', device: record.device, cause: record.id });
    reactions.push({ clear: 'tailgating', device: record.device, cause: record.id });
  }
  return reactions;
}

const look = { zh: '看影像确认现场', en: 'Look at the camera' };

export const vehicleGate = defineScenario({
  id: 'vehicle-gate',
  version: 1,
  title: { zh: '车辆道闸', en: 'Vehicle gate' },
  category: 'gh-access',
  icon: 'car',
  roles: {
    barrier: { zh: '道闸', en: 'Barrier' },
    camera: { zh: '车牌相机', en: 'Plate camera' },
  },
  telemetry: {
    barrierState: Type.Enum(
      ['open', 'closed', 'between', 'fault'],
      says('Arm position by its limit switches.', '闸杆位置'),
    ),
    loopOccupied: Type.Boolean(says('The ground loop under the arm senses a vehicle.', '地感线圈占用')),
    armHit: Type.Boolean(says('The arm was hit or has swung away.', '闸杆被撞')),
    occupied: Type.Integer({ minimum: 0, ...says('Vehicles in the car park.', '在场车辆') }),
    free: Type.Integer({ minimum: 0, ...says('Free bays.', '空余车位') }),
    entriesToday: Type.Integer({ minimum: 0, ...says('Entries since midnight.', '今日进场') }),
    feeDue: Type.Number({ minimum: 0, ...says('Fee of the vehicle at the exit.', '应缴费用', 'CNY') }),
  },
  events: {
    'plate.read': { words: { zh: '识别到号牌', en: 'Plate read' }, data: plateRead },
    passage: { words: { zh: '车辆通行', en: 'Vehicle passed' }, data: passage },
    'access.granted': {
      words: { zh: '允许通行', en: 'Access granted' },
      data: Type.Object({
        plate: Type.Optional(plate),
        reason: Type.String({ maxLength: 64, ...says('Reason code of the access decision.', '原因') }),
        subject: Type.Optional(Type.String({ maxLength: 128, ...says('Vehicle or credential it rests on.', '依据') })),
      }),
    },
    'vehicle.unrecognised': {
      words: { zh: '车辆未放行', en: 'Vehicle not admitted' },
      data: Type.Object({
        plate: Type.Optional(plate),
        reason: Type.String({ maxLength: 64, ...says('Reason code of the access decision.', '原因') }),
      }),
    },
    'fee.paid': {
      words: { zh: '已缴费', en: 'Fee paid' },
      data: Type.Object({
        plate,
        amount: Type.Number({ minimum: 0, ...says('Amount.', '金额', 'CNY') }),
        payment: Type.String({ maxLength: 64, ...says('Payment number of the payment platform.', '支付流水号') }),
      }),
    },
    'plate.corrected': {
      words: { zh: '号牌更正', en: 'Plate corrected' },
      data: Type.Object({ plate, was: Type.Optional(plate) }),
    },
  },
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '车道不能远程开关，车辆在门口排队', en: 'The lane cannot be worked from here and cars queue' },
    },
    forced: {
      words: { zh: '强行抬杆', en: 'Arm forced open' },
      severity: 'major',
      priority: 2,
      why: {
        zh: '有车未经放行进出，闸杆可能损坏',
        en: 'A vehicle went through unadmitted, and the arm may be damaged',
      },
      hint: { zh: '没有开闸指令，闸杆离开了关到位', en: 'The arm left "closed" with no open order' },
      steps: [
        look,
        { zh: '喊话并派人', en: 'Speak to the driver, send somebody' },
        { zh: '闸杆损坏时报修', en: 'Call repair if damaged' },
      ],
    },
    barrierFault: {
      words: { zh: '道闸故障', en: 'Barrier fault' },
      severity: 'major',
      priority: 2,
      why: { zh: '车道不能用，车辆在门口排队', en: 'The lane is out of use and cars queue at the gate' },
      hint: { zh: '开、关到位开关同时有效', en: 'Both limit switches are on at once' },
      steps: [look, { zh: '改用现场按钮', en: 'Use the button on site' }, { zh: '报修', en: 'Call repair' }],
      when: { point: 'barrierState', equals: 'fault', forMs: 1000 },
    },
    barrierHit: {
      words: { zh: '闸杆被撞', en: 'Barrier hit' },
      severity: 'major',
      priority: 2,
      why: { zh: '肇事车辆几分钟内就会离开', en: 'The vehicle that did it is gone within minutes' },
      hint: { zh: '车辆撞杆或闸杆脱落', en: 'A vehicle hit the arm, or it came off' },
      steps: [look, { zh: '拦停车辆并登记', en: 'Stop and note the vehicle' }, { zh: '报修', en: 'Call repair' }],
      when: { point: 'armHit', equals: true },
    },
    heldOpen: {
      words: { zh: '常开超时', en: 'Held open too long' },
      severity: 'minor',
      priority: 3,
      why: { zh: '车道无人把守，但没有人有危险', en: 'The lane stands open, but nobody is in danger' },
      hint: { zh: '闸杆超过 5 分钟没有关闭', en: 'The arm has been open for over five minutes' },
      steps: [look, { zh: '无车时关闸', en: 'Close when the lane is free' }],
      when: { point: 'barrierState', equals: 'open', forMs: 300_000 },
    },
    tailgating: {
      words: { zh: '跟车通过', en: 'Tailgating' },
      severity: 'minor',
      priority: 3,
      why: { zh: '已经通过，事后查证即可', en: 'It has passed; it can be looked up afterwards' },
      hint: { zh: '一次开闸通过了两辆车', en: 'Two vehicles passed on one opening' },
      steps: [look, { zh: '查号牌并登记', en: 'Look up and note the plate' }],
    },
    blacklisted: {
      words: { zh: '黑名单车辆', en: 'Block-listed vehicle' },
      severity: 'major',
      priority: 2,
      why: {
        zh: '车辆正等在门口，要有人当面处理',
        en: 'The vehicle waits at the gate now, and somebody has to deal with it',
      },
      hint: { zh: '车牌在黑名单或疑似套牌', en: 'The plate is on the block list or may be cloned' },
      steps: [{ zh: '不要放行', en: 'Do not admit' }, look, { zh: '按规定联系民警', en: 'Call the police as agreed' }],
    },
  },
  commands: {
    open: {
      words: { zh: '开闸', en: 'Open' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000, // a driver who waits longer rings the booth, and the guard opens by hand
      allow: ['guard', 'shift-leader', 'admin', 'flow', 'platform', 'installer'],
      acts: 'device',
      perMinute: 6,
      usedBy: 'passage',
      emergency: true,
      proof: { point: 'barrierState', equals: 'open', withinMs: 6000 },
    },
    close: {
      words: { zh: '关闸', en: 'Close' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'installer'], // only someone who sees the lane
      acts: 'device',
      perMinute: 6,
      interlocks: [
        { point: 'loopOccupied', mustBe: false, words: { zh: '地感有车，不能关闸', en: 'A vehicle is on the loop' } },
      ],
      proof: { point: 'barrierState', equals: 'closed', withinMs: 8000 },
    },
    /** Not a lease: open is the safe side, and the barrier itself ends the time, also when the gateway is gone. */
    lockOpen: {
      words: { zh: '常开', en: 'Hold open' },
      input: Type.Object(
        { holdSeconds: Type.Integer({ minimum: 10, maximum: 1800, ...says('Hold time.', '保持时长', 's') }) },
        { additionalProperties: false },
      ),
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'installer', 'linkage'],
      acts: 'device',
      perMinute: 6,
      failSafe: true,
      proof: { point: 'barrierState', equals: 'open', withinMs: 6000 },
    },
    endHold: {
      words: { zh: '取消常开', en: 'End hold' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'installer', 'linkage'],
      acts: 'device',
    },
    lockClosed: {
      words: { zh: '锁闭', en: 'Hold closed' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['shift-leader', 'admin', 'installer'],
      acts: 'device',
      perMinute: 6,
      interlocks: [
        { point: 'loopOccupied', mustBe: false, words: { zh: '地感有车，不能锁闭', en: 'A vehicle is on the loop' } },
      ],
      forbiddenWhile: [
        { alarm: 'barrierHit', words: { zh: '闸杆被撞，不能锁闭', en: 'The arm was hit: it must not be held' } },
      ],
      lease: { longestMs: 30_000, release: 'endLock' },
      proof: { point: 'barrierState', equals: 'closed', withinMs: 6000 },
    },
    endLock: {
      words: { zh: '解除锁闭', en: 'End hold closed' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'installer', 'linkage'],
      acts: 'device',
    },
  },
  watch: { start: { lanes: {} } satisfies Memory, step },
});
