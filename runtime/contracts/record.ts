/** The journal record and the words around it: the same on disk, in the API, in flows and upward (design.md 1). */
import { type Static, Type } from 'typebox';
import { type Kind, kinds, type Lane, lanes, type Quality, qualities } from './places.ts';
import { says } from './words.ts';

export * from './places.ts';

export const journalRecord = Type.Object(
  {
    gateway: Type.String(says('Gateway that wrote it.', '网关编号')),
    epoch: Type.Integer({ minimum: 1, ...says('Life of the journal; grows when it was rebuilt or restored.', '纪元') }),
    seq: Type.Integer({ minimum: 1, ...says('Place in the journal, gap-free within an epoch.', '序号') }),
    id: Type.String(says('UUIDv7.', '记录编号')),
    at: Type.Integer(says('When it happened by the device, UTC; may be wrong.', '发生时间', 'ms')),
    received: Type.Integer(says('When the gateway had it, UTC.', '接收时间', 'ms')),
    clock: Type.Enum(['synced', 'unsynced', 'stepped'], says('Quality of the gateway clock then.', '时钟质量')),
    lane: Type.Enum(lanes, says('Delivered first (L0), dropped first (L4).', '优先级通道')),
    kind: Type.Enum(kinds, says('What kind of fact.', '类别')),
    scenario: Type.String(says('Scenario id, or "gateway" for its own facts.', '场景')),
    device: Type.String(says('Device id, or "" for none.', '设备')),
    name: Type.String(says('Point, event, alarm or command by the contract.', '名称')),
    data: Type.Unknown(says('Value, checked against the contract.', '内容')),
    quality: Type.Enum(qualities, says('Quality of the value.', '数据质量')),
    cause: Type.Optional(Type.String(says('Record or command that led here.', '起因'))),
    actor: Type.Optional(
      Type.String(says('Who acted: user:, flow:, platform:, linkage:, device:, system:.', '操作者')),
    ),
  },
  { title: 'JournalRecord' },
);
export type JournalRecord = Static<typeof journalRecord>;

/** A record before the journal has given it gateway, epoch and seq. */
export interface Draft {
  readonly lane: Lane;
  readonly kind: Kind;
  readonly scenario: string;
  readonly device: string;
  readonly name: string;
  readonly data: unknown;
  /** Device time, ms; absent: the time of receipt. */
  readonly at?: number;
  readonly quality?: Quality;
  readonly cause?: string;
  readonly actor?: string;
  /** UUIDv7, when it must be known before the commit; else the journal makes one. */
  readonly id?: string;
}

/** What a command's life looks like on the journal and in the API (reliability.md C3). */
export const commandStates = ['accepted', 'executing', 'succeeded', 'failed', 'expired', 'unknown'] as const;
export type CommandState = (typeof commandStates)[number];
export const finalStates: readonly CommandState[] = ['succeeded', 'failed', 'expired', 'unknown'];

/** `data` of an alarm record: one change of one alarm. */
export const alarmChange = Type.Object({
  alarm: Type.String(says('Alarm id.', '报警编号')),
  change: Type.Enum(
    [
      'raised',
      'repeated',
      'returned',
      'acked',
      'dispatched',
      'arrived',
      'resolved',
      'reset',
      'cleared-false',
      'shelved',
      'unshelved',
      'out-of-service',
      'in-service',
      'suppressed',
      'unsuppressed',
      'chattering',
      'escalated',
    ],
    says('What changed.', '变化'),
  ),
  process: Type.Enum(
    ['NORMAL', 'ACTIVE_UNACK', 'ACTIVE_ACK', 'RTN_UNACK', 'SHELVED', 'SUPPRESSED', 'OUT_OF_SERVICE'],
    says('Process state after it.', '过程状态'),
  ),
  handling: Type.Enum(
    ['waiting', 'acked', 'dispatched', 'arrived', 'resolved', 'closed'],
    says('Handling state after it.', '处置状态'),
  ),
  priority: Type.Integer({ minimum: 1, maximum: 4 }),
  detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type AlarmChange = Static<typeof alarmChange>;
export type ProcessState = AlarmChange['process'];
export type HandlingState = AlarmChange['handling'];
