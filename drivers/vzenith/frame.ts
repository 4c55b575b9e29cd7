/**
 * What a Vzenith 臻识 plate camera (and the many cameras that speak like it) pushes over HTTP ↔ meaning. Pure.
 * Source: the maker's "HTTP 推送协议", sections 2.1 (plate results, offline records), 2.2 to 2.5, and field captures.
 */
import { GatehouseError, reasonOf } from '../../runtime/errors.ts';
import type { DeviceEvent } from '../driver.ts';

export type Push =
  | { readonly kind: 'plate'; readonly event: DeviceEvent; readonly plateId?: number; readonly stored: boolean }
  | { readonly kind: 'heartbeat' | 'input' | 'serial' | 'snapshot' };

/** A push with its pictures stays below this; what is larger is not from a camera. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;
const MAX_PICTURE_BYTES = 2 * 1024 * 1024;
const MAX_PLATE_LENGTH = 16;
const MAX_TEXT_LENGTH = 64;

const colours = ['unknown', 'blue', 'yellow', 'white', 'black', 'green', 'yellow-green'] as const;

/** @throws {GatehouseError} `push.unreadable` saying what is wrong with it. */
export function decodePush(body: Uint8Array, contentType = ''): Push {
  if (body.length > MAX_BODY_BYTES) throw unreadable(`${body.length} bytes, at most ${MAX_BODY_BYTES}`);
  // The ordinary heartbeat is a form, whatever else the camera sends as JSON.
  if (contentType.toLowerCase().startsWith('multipart/form-data')) return { kind: 'heartbeat' };
  const message = object(parse(body));
  if (!message) throw unreadable('not a JSON object');
  if (message.AlarmInfoPlate !== undefined) return decodePlate(message.AlarmInfoPlate);
  if (message.AlarmGioIn !== undefined) return { kind: 'input' };
  if (message.SerialData !== undefined) return { kind: 'serial' };
  if (message.TriggerImage !== undefined) return { kind: 'snapshot' };
  if (['heartbeat', 'Heartbeat', 'serialno', 'device_name'].some((key) => message[key] !== undefined)) {
    return { kind: 'heartbeat' };
  }
  throw unreadable(
    `none of the known messages: ${Object.keys(message).slice(0, 5).join(', ').slice(0, MAX_TEXT_LENGTH)}`,
  );
}

const unreadable = (what: string): GatehouseError => new GatehouseError('push.unreadable', `Camera push: ${what}`);

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(body));
  } catch (error) {
    throw unreadable(`no JSON, ${reasonOf(error).slice(0, 128)}`);
  }
}

/** UTF-8, or GBK on older firmware: valid UTF-8 with Chinese in it is practically never valid GBK by accident. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('gb18030').decode(bytes);
  }
}

type Fields = Readonly<Record<string, unknown>>;

const object = (value: unknown): Fields | undefined =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : undefined;
/** Some firmware writes its numbers as text. */
const number = (value: unknown): number | undefined => {
  const found = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
};
const text = (value: unknown, maxLength: number): string | undefined => {
  if (typeof value !== 'string') return undefined;
  const clean = value.normalize('NFC').trim();
  // Control, format and unassigned characters have no place in a plate or serial number; nor has a lone surrogate.
  return clean === '' || clean.length > maxLength || /\p{C}/u.test(clean) ? undefined : clean;
};

function decodePlate(value: unknown): Push {
  const alarm = object(value);
  const result = object(object(alarm?.result)?.PlateResult);
  if (!alarm || !result) throw unreadable('AlarmInfoPlate without result.PlateResult');
  const plate = plateOf(result.license);
  const serial = text(alarm.serialno, MAX_TEXT_LENGTH);
  const colour = colours[number(result.colorType) ?? -1];
  const confidence = number(result.confidence);
  const stored = number(result.isoffline) === 1;
  const time = object(object(result.timeStamp)?.Timeval);
  const at = timeOf(time);
  const plateId = number(result.plateid);
  const key = keyOf({ serial, plate, time, path: result.imagePath });
  const pictures = [result.imageFile, result.imageFragmentFile].flatMap((image) => pictureOf(image) ?? []);
  const event: DeviceEvent = {
    name: 'plate.read',
    data: {
      trigger: triggerOf(number(result.triggerType) ?? 0),
      stored,
      ...(plate === undefined ? {} : { plate }),
      ...(colour === undefined ? {} : { colour }),
      ...(confidence === undefined || confidence < 0 || confidence > 100 ? {} : { confidence }),
      ...(serial === undefined ? {} : { serial }),
    },
    ...(at === undefined ? {} : { at }),
    ...(key === undefined ? {} : { key }),
    ...(pictures.length === 0 ? {} : { pictures }),
  };
  return { kind: 'plate', event, stored, ...(plateId === undefined ? {} : { plateId }) };
}

/** What cameras write when they saw a car and no plate. */
const UNREAD = new Set(['_无_', '无', '无牌车', '无牌', '未识别', 'unlicensed', 'nolicense']);

/** @returns undefined for an unread plate, and for text that cannot be a plate: the event stays. */
export function plateOf(value: unknown): string | undefined {
  const plate = text(value, MAX_PLATE_LENGTH);
  return plate === undefined || UNREAD.has(plate.toLowerCase()) ? undefined : plate;
}

/** Bits 1 automatic, 2 input, 4 software, 8 virtual loop; 64 to 66 are whole values. */
export function triggerOf(value: number): 'video' | 'input' | 'software' | 'stay' | 'stay-end' | 'turned-back' {
  if (value === 64) return 'stay';
  if (value === 65) return 'stay-end';
  if (value === 66) return 'turned-back';
  if (value & 2) return 'input';
  return value & 4 ? 'software' : 'video';
}

/** A camera whose clock was never set says 1970 or 2000: then the time of receipt is the better one. */
const CLOCK_WAS_SET = Date.UTC(2015, 0, 1);

function timeOf(time: Fields | undefined): number | undefined {
  const seconds = number(time?.sec);
  if (seconds === undefined || seconds * 1000 < CLOCK_WAS_SET || seconds > 0xffff_ffff) return undefined;
  const microseconds = number(time?.usec) ?? 0;
  const ms = microseconds >= 0 && microseconds < 1_000_000 ? Math.floor(microseconds / 1000) : 0;
  return Math.floor(seconds) * 1000 + ms;
}

interface Identity {
  readonly serial: string | undefined;
  readonly plate: string | undefined;
  readonly time: Fields | undefined;
  readonly path: unknown;
}

/**
 * The same for a message sent again. Camera, plate and time; in "brief" mode, which has no time, the picture's path.
 * With neither there is no key: a car that comes twice must not be taken for a repetition.
 */
function keyOf({ serial, plate, time, path }: Identity): string | undefined {
  const moment =
    number(time?.sec) === undefined ? imagePathOf(path) : `${String(time?.sec)}.${String(time?.usec ?? 0)}`;
  return moment === undefined ? undefined : `${serial ?? ''}|${plate ?? ''}|${moment}`.slice(0, 256);
}

/** `imagePath` is percent-encoded GBK: `%D4%C1` is 粤, and decodeURIComponent throws. */
export function imagePathOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > 512) return undefined;
  const bytes = Buffer.from(
    value.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return decodeText(bytes);
}

const JPEG = Buffer.from('ffd8ff', 'hex');
const PNG = Buffer.from('89504e47', 'hex');

function pictureOf(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || value.length === 0) return undefined;
  const bytes = Buffer.from(value, 'base64');
  const known = bytes.subarray(0, 3).equals(JPEG) || bytes.subarray(0, 4).equals(PNG);
  return known && bytes.length <= MAX_PICTURE_BYTES ? bytes : undefined;
}

/**
 * The answer to a plate. `info: "ok"` would open the barrier from the camera, so it is never said: barriers open by a
 * command that is recorded. `retransfer_stop` ends the repetitions; a stored record is confirmed so that the next comes.
 */
export function plateAnswer(push: { readonly plateId?: number; readonly stored: boolean }): string {
  return JSON.stringify({
    Response_AlarmInfoPlate: {
      info: 'no',
      content: 'retransfer_stop',
      is_pay: 'false',
      serialData: [],
      ...(push.plateId === undefined ? {} : { plateid: push.plateId }),
      ...(push.stored && push.plateId !== undefined
        ? { ContinuePushOffline: { plateid: push.plateId, continue: 1 } }
        : {}),
    },
  });
}

/** To everything that is no plate. */
export const plainAnswer = JSON.stringify({ status: 'ok' });
/** To what cannot be read: not "received", and above all not "open". */
export const refusalAnswer = JSON.stringify({ Response_AlarmInfoPlate: { info: 'no', content: 'unreadable' } });
