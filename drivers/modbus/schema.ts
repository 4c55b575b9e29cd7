/** What a site file says of a Modbus device (address) and what a profile says of its points and commands. */
import { type Static, Type } from 'typebox';

const closed = { additionalProperties: false } as const;

const unit = Type.Optional(Type.Integer({ minimum: 0, maximum: 255, default: 1, description: 'unit id, default 1' }));
const timeoutMs = Type.Optional(
  Type.Integer({ minimum: 50, maximum: 1000, default: 1000, description: 'ms until an answer counts as missing' }),
);
const gapMs = Type.Optional(
  Type.Integer({ minimum: 0, maximum: 1000, description: 'ms of silence between frames; default 20, on TCP 0' }),
);
const host = Type.String({ minLength: 1, maxLength: 253, description: 'address or name' });
const port = Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, default: 502, description: 'default 502' }));

const tcpAddress = Type.Object(
  { transport: Type.Optional(Type.Literal('tcp')), host, port, unit, timeoutMs, gapMs },
  { ...closed, description: 'Modbus TCP' },
);
const rtuTcpAddress = Type.Object(
  { transport: Type.Literal('rtu-tcp'), host, port, unit, timeoutMs, gapMs },
  { ...closed, description: 'RTU frames through a transparent serial server' },
);
const serialAddress = Type.Object(
  {
    transport: Type.Literal('serial'),
    path: Type.String({ pattern: '^/', maxLength: 128, description: 'e.g. /dev/ttyS1' }),
    baudRate: Type.Optional(
      Type.Integer({ minimum: 300, maximum: 921_600, default: 9600, description: 'default 9600' }),
    ),
    parity: Type.Optional(Type.Enum(['none', 'even', 'odd'], { default: 'none' })),
    stopBits: Type.Optional(Type.Enum([1, 2], { default: 1 })),
    unit,
    timeoutMs,
    gapMs,
  },
  { ...closed, description: 'RS-485 or RS-232 on this machine' },
);
export const address = Type.Union([tcpAddress, rtuTcpAddress, serialAddress]);
export type Address = Static<typeof address>;
export type SerialAddress = Static<typeof serialAddress>;

const everyMs = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 86_400_000, default: 1000, description: 'polling interval, ms; default 1000' }),
);
const deadband = Type.Optional(Type.Number({ minimum: 0, description: 'a smaller change is not recorded' }));
const at = Type.Integer({ minimum: 0, maximum: 65_535, description: 'address as it travels, counted from 0' });
const scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const register = Type.Enum(['holding-register', 'input-register'], { description: 'FC03, FC04' });
const bitTable = Type.Enum(['coil', 'discrete-input'], { description: 'FC01, FC02' });
const bitOfRegister = Type.Integer({ minimum: 0, maximum: 15, description: 'first bit, 0 is the lowest' });
const patterns = Type.Record(Type.String({ pattern: '^[01]{1,16}$' }), scalar, {
  description: 'bits in the order of their addresses, and what they mean; any other pattern is a bad reading',
  minProperties: 1,
});
const bitCount = Type.Integer({ minimum: 1, maximum: 16 });
const invert = Type.Optional(Type.Boolean({ description: 'true when the contact is closed at rest' }));

const common = { everyMs, deadband };
/** The closed list of readings. */
export const point = Type.Union([
  Type.Object({ ...common, read: bitTable, address: at, as: Type.Literal('bit'), invert }, closed),
  Type.Object({ ...common, read: register, address: at, bit: bitOfRegister, as: Type.Literal('bit'), invert }, closed),
  Type.Object(
    { ...common, read: bitTable, address: at, as: Type.Literal('bits'), count: bitCount, of: patterns },
    closed,
  ),
  Type.Object(
    {
      ...common,
      read: register,
      address: at,
      bit: bitOfRegister,
      as: Type.Literal('bits'),
      count: bitCount,
      of: patterns,
    },
    closed,
  ),
  Type.Object(
    {
      ...common,
      read: register,
      address: at,
      as: Type.Enum(['uint16', 'int16', 'uint32', 'int32', 'float32']),
      order: Type.Optional(
        Type.Enum(['AB', 'BA', 'ABCD', 'CDAB', 'BADC', 'DCBA'], {
          description: 'bytes as they travel, A is the highest; default AB or ABCD',
        }),
      ),
      scale: Type.Optional(Type.Number({ description: 'value = raw × scale + offset' })),
      offset: Type.Optional(Type.Number()),
      decimals: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 9, description: 'default: as many as scale and offset have' }),
      ),
      invalid: Type.Optional(
        Type.Array(Type.String({ pattern: '^([0-9a-f]{4}|[0-9a-f]{8})$' }), {
          description: 'raw patterns that mean "no value", hex in the order ABCD, e.g. 7fff',
        }),
      ),
      of: Type.Optional(
        Type.Record(Type.String({ pattern: '^-?[0-9]+$' }), scalar, {
          description: 'raw integers and what they mean; any other is a bad reading',
          minProperties: 1,
        }),
      ),
    },
    closed,
  ),
]);
export type Point = Static<typeof point>;

const amount = Type.Union(
  [
    Type.Number({ description: 'fixed' }),
    Type.Object(
      {
        field: Type.String({ minLength: 1, description: 'field of the input of the command' }),
        times: Type.Optional(Type.Number({ default: 1 })),
        otherwise: Type.Optional(Type.Number({ description: 'when the input does not have the field' })),
      },
      closed,
    ),
  ],
  { description: 'a number, or a field of the input times a factor' },
);

/** One command is one write, so that it can never stop half-way. */
export const command = Type.Union([
  Type.Object(
    { write: Type.Literal('coil'), address: at, value: Type.Boolean() },
    { ...closed, description: 'FC05 FF00 or 0000' },
  ),
  Type.Object(
    {
      write: Type.Literal('pulse'),
      coil: Type.Integer({ minimum: 0, maximum: 255 }),
      base: Type.Integer({ minimum: 0, maximum: 65_535, description: 'address of the pulse of coil 0' }),
      units: amount,
    },
    {
      ...closed,
      description: 'FC05 at base + coil, value = time in units of the board: the board itself ends the pulse',
    },
  ),
  Type.Object(
    { write: Type.Literal('register'), address: at, value: amount },
    { ...closed, description: 'FC06; a negative value travels as int16' },
  ),
  Type.Object(
    {
      write: Type.Literal('registers'),
      address: at,
      values: Type.Array(amount, { minItems: 1, maxItems: 123 }),
    },
    { ...closed, description: 'FC10' },
  ),
]);
export type Command = Static<typeof command>;

export const DEFAULT_PORT = 502;
export const DEFAULT_TIMEOUT_MS = 1000;
/** Well over 3.5 characters at 9600 baud (4 ms); cheap slaves need it to turn their line around. */
export const DEFAULT_RTU_GAP_MS = 20;
export const DEFAULT_EVERY_MS = 1000;
