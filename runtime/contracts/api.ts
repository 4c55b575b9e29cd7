/** What crosses the HTTP API: shapes shared by server, booth, nodes and OpenAPI. Times are ms UTC. */
import { type Static, Type } from 'typebox';
import { roles } from './contract.ts';
import { deviceId } from './id.ts';
import { commandStates, journalRecord, kinds, lanes } from './record.ts';

export * from './alarms.ts';
export * from './id.ts';

const text = (maxLength: number) => Type.String({ maxLength });
const scalar = Type.Union([Type.String({ maxLength: 256 }), Type.Number(), Type.Boolean()]);
const closed = { additionalProperties: false } as const;

export const position = Type.String({ pattern: '^[0-9]{1,4}:[0-9]{1,12}$', description: 'epoch:seq' });

export const problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'area.reason, see the catalogue' }),
    detail: Type.String(),
    instance: Type.Optional(Type.String()),
  },
  { title: 'Problem', description: 'RFC 9457' },
);

export const login = Type.Object(
  { name: text(64), password: Type.Optional(text(256)), pin: Type.Optional(Type.String({ pattern: '^[0-9]{6}$' })) },
  { ...closed, title: 'Login' },
);
export const session = Type.Object(
  {
    name: Type.String(),
    displayName: Type.String(),
    role: Type.Enum(roles),
    expiresAt: Type.Integer(),
    mode: Type.Enum(['demo', 'site']),
  },
  { title: 'Session' },
);
export type Session = Static<typeof session>;

export const pointView = Type.Object(
  {
    value: Type.Union([scalar, Type.Null()]),
    at: Type.Integer(),
    received: Type.Integer(),
    quality: Type.Enum(['good', 'stale', 'bad']),
  },
  { title: 'Point' },
);
export const deviceView = Type.Object(
  {
    id: deviceId,
    name: Type.String(),
    scenario: Type.String(),
    role: Type.String(),
    zone: Type.String(),
    profile: Type.String(),
    cameras: Type.Array(Type.String(), { description: 'devices whose picture shows this one' }),
    parent: Type.Optional(Type.String({ description: 'device it is connected through' })),
    settings: Type.Record(Type.String(), scalar),
    link: Type.Object({
      state: Type.Enum(['online', 'offline', 'unknown']),
      since: Type.Integer(),
      reason: Type.Optional(Type.String()),
    }),
    points: Type.Record(Type.String(), pointView),
    commands: Type.Array(Type.String(), { description: 'what this device can do and you may send' }),
    address: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'installers only' })),
    push: Type.Optional(Type.String({ description: 'push address with its key, installers only' })),
  },
  { title: 'Device' },
);
export type DeviceView = Static<typeof deviceView>;

/** A device as the site file and `POST/PUT /devices` describe it. */
export const deviceInput = Type.Object(
  {
    id: deviceId,
    name: text(64),
    zone: deviceId,
    profile: text(128),
    address: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    settings: Type.Optional(Type.Record(Type.String(), scalar)),
    cameras: Type.Optional(Type.Array(deviceId, { maxItems: 4 })),
    /** Switch, bus or recorder in front of it: while that is cut off, this one's being offline is no alarm of its own. */
    parent: Type.Optional(deviceId),
  },
  { ...closed, title: 'DeviceInput' },
);
export type DeviceInput = Static<typeof deviceInput>;

export const zoneInput = Type.Object(
  {
    id: deviceId,
    name: text(64),
    kind: Type.Enum(['lane', 'building', 'perimeter', 'area']),
    parent: Type.Optional(deviceId),
  },
  { ...closed, title: 'Zone' },
);
export type Zone = Static<typeof zoneInput>;

const validity = {
  validFrom: Type.Optional(Type.Integer({ description: 'ms UTC' })),
  validTo: Type.Optional(Type.Integer({ description: 'ms UTC' })),
  /** Site time; absent: always. */
  schedule: Type.Optional(
    Type.Object(
      {
        days: Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), {
          description: '1 Monday to 7 Sunday',
          maxItems: 7,
        }),
        from: Type.String({ pattern: '^[0-2][0-9]:[0-5][0-9]$' }),
        to: Type.String({ pattern: '^[0-2][0-9]:[0-5][0-9]$' }),
      },
      closed,
    ),
  ),
  /** Zones it is good for; absent: all. */
  zones: Type.Optional(Type.Array(deviceId, { maxItems: 64 })),
};
export const personInput = Type.Object(
  { id: deviceId, name: text(64), room: Type.Optional(text(32)), phone: Type.Optional(text(32)) },
  { ...closed, title: 'Person' },
);
export type Person = Static<typeof personInput>;
export const vehicleInput = Type.Object(
  {
    plate: text(16),
    kind: Type.Enum(['resident', 'visitor', 'staff', 'blocked']),
    person: Type.Optional(deviceId),
    note: Type.Optional(text(256)),
    ...validity,
  },
  { ...closed, title: 'Vehicle' },
);
export type Vehicle = Static<typeof vehicleInput>;
export const credentialInput = Type.Object(
  {
    id: deviceId,
    kind: Type.Enum(['card', 'face', 'qr', 'phone']),
    value: text(128),
    person: deviceId,
    blocked: Type.Optional(Type.Boolean()),
    ...validity,
  },
  { ...closed, title: 'Credential' },
);
export type Credential = Static<typeof credentialInput>;

export const accessQuestion = Type.Object(
  {
    gate: Type.String({ description: 'device or zone id' }),
    plate: Type.Optional(text(16)),
    credential: Type.Optional(Type.Object({ kind: text(16), value: text(128) }, closed)),
    at: Type.Optional(Type.Integer()),
    cause: Type.Optional(text(64)),
  },
  { ...closed, title: 'AccessQuestion' },
);
export type AccessQuestion = Static<typeof accessQuestion>;
export const accessReasons = [
  'resident',
  'visitor',
  'staff',
  'credential',
  'unread',
  'unknown',
  'blocked',
  'not-yet-valid',
  'expired',
  'outside-schedule',
  'wrong-gate',
] as const;
export const accessDecision = Type.Object(
  {
    allow: Type.Boolean(),
    reason: Type.Enum(accessReasons),
    gate: Type.String({ description: 'the device that opens' }),
    explanation: Type.Object({ zh: Type.String(), en: Type.String() }),
    plate: Type.Optional(Type.String()),
    subject: Type.Optional(Type.String({ description: 'vehicle:… or credential:…' })),
    person: Type.Optional(Type.String()),
    record: Type.Optional(Type.String({ description: 'record id of the decision' })),
  },
  { title: 'AccessDecision' },
);
export type AccessDecision = Static<typeof accessDecision>;

export const commandInput = Type.Object(
  {
    device: deviceId,
    command: text(64),
    input: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    deadlineMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
    reason: Type.Optional(text(256)),
    cause: Type.Optional(text(64)),
  },
  { ...closed, title: 'CommandInput' },
);
export type CommandInput = Static<typeof commandInput>;

export const commandView = Type.Object(
  {
    id: Type.String(),
    device: Type.String(),
    command: Type.String(),
    input: Type.Record(Type.String(), Type.Unknown()),
    state: Type.Enum(commandStates),
    actor: Type.String(),
    createdAt: Type.Integer(),
    updatedAt: Type.Integer(),
    /** Why it ended so: a code of the catalogue. */
    code: Type.Optional(Type.String()),
    detail: Type.Optional(Type.String()),
    /** True: the state of the device was read back and proves it. */
    proven: Type.Optional(Type.Boolean()),
    reason: Type.Optional(Type.String()),
    cause: Type.Optional(Type.String()),
    lease: Type.Optional(
      Type.Object({
        until: Type.Integer({ description: 'let go by itself then, unless it is renewed' }),
        releasedAt: Type.Optional(Type.Integer({ description: 'let go' })),
      }),
    ),
  },
  { title: 'Command' },
);
export type CommandView = Static<typeof commandView>;

export const recordsPage = Type.Object(
  {
    items: Type.Array(journalRecord),
    next: Type.Optional(Type.String({ description: 'pass as after=; absent: nothing more now' })),
    head: Type.String({ description: 'newest position when this was read' }),
  },
  { title: 'RecordsPage' },
);
export type RecordsPage = Static<typeof recordsPage>;

const fromEnvironment = Type.Object({ env: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }) }, closed);
const fromFile = Type.Object({ file: Type.String({ minLength: 1, maxLength: 256 }) }, closed);

/** A broker above. Secrets are named, never written: where to read them from (devices/uplink-secret.ts). */
export const uplinkInput = Type.Object(
  {
    id: deviceId,
    url: Type.String({ maxLength: 256, description: 'mqtt(s)://host:port, servers of one cluster with commas' }),
    username: Type.Optional(Type.Union([text(128), fromEnvironment, fromFile])),
    password: Type.Optional(Type.Union([fromEnvironment, fromFile])),
    ca: Type.Optional(
      Type.Object(fromFile.properties, {
        ...closed,
        description:
          'PEM of the private authority that signed the certificate of the server; default: those of the system',
      }),
    ),
    filter: Type.Optional(
      Type.Object(
        {
          lanes: Type.Optional(Type.Array(Type.Enum(lanes), { minItems: 1, maxItems: lanes.length })),
          kinds: Type.Optional(Type.Array(Type.Enum(kinds), { minItems: 1, maxItems: kinds.length })),
          scenarios: Type.Optional(Type.Array(text(64), { minItems: 1, maxItems: 100 })),
        },
        { ...closed, description: 'what it receives; an absent list means everything' },
      ),
    ),
    pace: Type.Optional(
      Type.Object(
        {
          messagesPerSecond: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
          inFlight: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, description: 'not yet acknowledged' })),
        },
        { ...closed, description: 'absent: as fast as it acknowledges' },
      ),
    ),
  },
  { ...closed, title: 'Uplink' },
);
export type Uplink = Static<typeof uplinkInput>;

/** A stretch of the journal to be sent once more: `(after, through]` of one epoch, by default of the current one. */
export const replayInput = Type.Object(
  {
    epoch: Type.Optional(Type.Integer({ minimum: 1, maximum: 8191 })),
    after: Type.Integer({ minimum: 0, maximum: 2 ** 40 - 1 }),
    through: Type.Integer({ minimum: 1, maximum: 2 ** 40 - 1 }),
    lanes: Type.Optional(Type.Array(Type.Enum(lanes), { minItems: 1, maxItems: lanes.length })),
  },
  { ...closed, title: 'ReplayInput' },
);
export const replayView = Type.Object(
  {
    id: Type.String({ description: 'the batches bear it as `replay`' }),
    state: Type.Enum(['waiting', 'running', 'done']),
    epoch: Type.Integer(),
    after: Type.Integer(),
    through: Type.Integer(),
    lanes: Type.Optional(Type.Array(Type.Enum(lanes))),
    reached: Type.Integer({ description: 'acknowledged up to here' }),
    actor: Type.String(),
    requestedAt: Type.Integer(),
    endedAt: Type.Optional(Type.Integer()),
  },
  { title: 'Replay' },
);
export type ReplayView = Static<typeof replayView>;

const uplinkState = {
  id: Type.String(),
  state: Type.Enum(['connecting', 'online', 'offline', 'refused']),
  since: Type.Integer(),
  backlog: Type.Integer({ description: 'records not yet acknowledged' }),
  oldestAt: Type.Optional(Type.Integer()),
  reason: Type.Optional(Type.String()),
};
export const uplinkView = Type.Object(
  {
    ...uplinkState,
    url: Type.String({ description: 'without a password' }),
    username: uplinkInput.properties.username,
    password: uplinkInput.properties.password,
    filter: uplinkInput.properties.filter,
    pace: uplinkInput.properties.pace,
    fixed: Type.Boolean({ description: 'named at the start of the gateway; it cannot be changed here' }),
    replays: Type.Array(replayView, { description: 'those that ended lately, the one that runs, those that wait' }),
  },
  { title: 'UplinkView' },
);
export type UplinkView = Static<typeof uplinkView>;

const amount = (description: string) => Type.Integer({ minimum: 0, description });
const laneField = Type.Enum(lanes);
export const storageView = Type.Object(
  {
    usedBytes: amount('of the database, without what is free inside it'),
    freeBytes: amount('inside the file and free'),
    walBytes: amount('write-ahead log'),
    capBytes: amount('the database may grow to it'),
    roomBytes: amount('the cap, or less where the partition has less'),
    partition: Type.Object({ totalBytes: amount('of the data partition'), freeBytes: amount('of the data partition') }),
    fill: Type.Number({ description: 'used of room, 0 to 1' }),
    removing: Type.Array(Type.Enum(['L4', 'thin', 'L3', 'rollup', 'L2', 'L1']), {
      description: 'removals that are due at this fill',
    }),
    ballast: Type.Boolean({ description: 'the reserve of urgent records is there' }),
    lanes: Type.Array(
      Type.Object({
        lane: laneField,
        rows: amount('records kept'),
        bytes: amount('about, with indexes'),
        bytesPerRecord: amount('about, with indexes'),
        perDay: amount('records that come in a day, measured over the last one'),
        refused: Type.Boolean({ description: 'input is answered 507 now' }),
        dropped: Type.Object({
          thinned: amount('readings of which every tenth stayed'),
          space: amount('removed for want of room'),
          retention: amount('removed as kept long enough'),
        }),
        outageSeconds: Type.Optional(
          amount('an outage may last so long before an undelivered record is dropped; absent: ten years and more'),
        ),
      }),
    ),
    targets: Type.Array(
      Type.Object({
        id: Type.String({ description: 'uplink' }),
        lane: laneField,
        backlog: amount('records it has not acknowledged'),
        oldestAt: Type.Optional(Type.Integer({ description: 'receipt of the oldest of them' })),
        dropped: amount('removed before it had them'),
      }),
    ),
    retention: Type.Object({
      lastRun: Type.Optional(Type.Integer()),
      held: Type.Boolean({ description: 'nothing is removed by age, as the clock is not trusted' }),
    }),
  },
  { title: 'Storage' },
);
export type StorageView = Static<typeof storageView>;

export const pointHistory = Type.Object(
  {
    raw: Type.Array(
      Type.Object({
        at: Type.Integer({ description: 'device time' }),
        received: Type.Integer({ description: 'gateway time' }),
        value: scalar,
        quality: journalRecord.properties.quality,
      }),
      { description: 'readings as they came, oldest first' },
    ),
    hourly: Type.Array(
      Type.Object({
        hour: Type.Integer({ description: 'when it begins' }),
        count: amount('readings'),
        low: Type.Optional(Type.Number()),
        mean: Type.Optional(Type.Number()),
        high: Type.Optional(Type.Number()),
        last: scalar,
      }),
      { description: 'hours of which no reading is left' },
    ),
    next: Type.Optional(Type.String({ description: 'pass as after=; absent: that was all' })),
  },
  { title: 'PointHistory' },
);
export type PointHistory = Static<typeof pointHistory>;

const flowVersionFields = {
  id: Type.Integer(),
  at: Type.Integer(),
  author: Type.String({ description: 'user:… or system:flows' }),
  note: Type.String(),
  origin: Type.Enum(['first', 'deploy', 'restore', 'off', 'empty'], {
    description: 'off: the gateway turned a flow off; empty: the file could not be read, so nothing runs',
  }),
  hash: Type.String({ description: 'SHA-256 of the flow file' }),
  current: Type.Boolean(),
  tabs: Type.Array(Type.Object({ id: Type.String(), label: Type.String() }), {
    description: 'tabs and subflows that differ from the version before',
  }),
};
export const flowVersion = Type.Object(flowVersionFields, { title: 'FlowVersion' });
export type FlowVersion = Static<typeof flowVersion>;
export const flowVersionDetail = Type.Object(
  {
    ...flowVersionFields,
    changes: Type.Array(
      Type.Object({
        change: Type.Enum(['added', 'removed', 'changed']),
        node: Type.String(),
        type: Type.String(),
        label: Type.String(),
        tab: Type.Optional(Type.Object({ id: Type.String(), label: Type.String() })),
        fields: Type.Optional(
          Type.Array(
            Type.Object({
              field: Type.String(),
              before: Type.Optional(Type.String()),
              after: Type.Optional(Type.String()),
            }),
          ),
        ),
      }),
      { description: 'against the version before, positions left out' },
    ),
  },
  { title: 'FlowVersionDetail' },
);
export type FlowVersionDetail = Static<typeof flowVersionDetail>;

const flowOff = Type.Object({
  tab: Type.String(),
  label: Type.String(),
  at: Type.Integer(),
  why: Type.String({ description: 'silent | exit | memory | flood | hammer | noise | start | missing-types' }),
  node: Type.Optional(Type.String()),
  nodeLabel: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
});
export const status = Type.Object(
  {
    gateway: Type.String(),
    site: Type.Object({ id: Type.String(), name: Type.String(), timeZone: Type.String() }),
    mode: Type.Enum(['demo', 'site']),
    version: Type.String(),
    now: Type.Integer(),
    clock: journalRecord.properties.clock,
    head: Type.String(),
    startedAt: Type.Integer(),
    devices: Type.Object({ online: Type.Integer(), total: Type.Integer() }),
    flows: Type.Object({
      state: Type.Enum(['starting', 'running', 'safe', 'down', 'off']),
      since: Type.Integer(),
      restarts: Type.Integer(),
      editorUntil: Type.Optional(Type.Integer({ description: 'maintenance mode ends' })),
      off: Type.Optional(Type.Array(flowOff, { description: 'flows that the gateway has turned off' })),
    }),
    uplinks: Type.Array(Type.Object(uplinkState)),
    storage: Type.Optional(
      Type.Object({
        fill: storageView.properties.fill,
        ballast: storageView.properties.ballast,
        refused: Type.Array(laneField, { description: 'lanes whose input is answered 507 now' }),
        outageSeconds: Type.Optional(amount('an outage may last so long before the first undelivered record goes')),
      }),
    ),
  },
  { title: 'Status' },
);
export type Status = Static<typeof status>;
