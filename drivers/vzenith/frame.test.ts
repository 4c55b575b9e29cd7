import { describe, expect, test } from 'vitest';
import type { GatehouseError } from '../../runtime/errors.ts';
import type { DeviceEvent, Profile } from '../driver.ts';
import { vzenith } from './driver.ts';
import { decodePush, imagePathOf, MAX_BODY_BYTES, plateOf, triggerOf } from './frame.ts';

const camera: Profile = {
  id: 'test/camera',
  scenario: 'vehicle-gate@1',
  role: 'camera',
  driver: 'vzenith',
  title: { zh: '相机', en: 'Camera' },
  source: 'test',
  offlineAfterMs: 30_000,
  points: {},
  frames: [],
};
/** The smallest JPEG there is. */
const jpeg = Buffer.from('ffd8ffdb004300ffd9', 'hex');

const message = (result: object, serialno: unknown = 'fe71e106-57263272') => ({
  AlarmInfoPlate: {
    result: {
      PlateResult: {
        license: '粤B12345',
        colorType: 1,
        confidence: 97,
        triggerType: 8,
        timeStamp: { Timeval: { sec: 1_795_233_600, usec: 250_000 } },
        ...result,
      },
    },
    serialno,
  },
});
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
function eventOf(value: unknown): DeviceEvent {
  const push = decodePush(bytes(value));
  if (push.kind !== 'plate') throw new Error(push.kind);
  return push.event;
}
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as GatehouseError).code;
  }
  return 'nothing thrown';
};

describe('a plate', () => {
  test('comes with colour, confidence, time and pictures', () => {
    expect(eventOf(message({ imageFile: jpeg.toString('base64'), imageFragmentFile: 'bm8gcGljdHVyZQ==' }))).toEqual({
      name: 'plate.read',
      data: {
        plate: '粤B12345',
        colour: 'blue',
        confidence: 97,
        trigger: 'video',
        stored: false,
        serial: 'fe71e106-57263272',
      },
      at: 1_795_233_600_250,
      key: 'fe71e106-57263272|粤B12345|1795233600.250000',
      pictures: [jpeg],
    });
  });

  test.each(['_无_', '无牌车', ' _无_ ', '', null, 12, {}])('that was not read is absent: %j', (license) => {
    expect(eventOf(message({ license })).data).not.toHaveProperty('plate');
  });

  test.each([
    ['control characters', '粤B\u000712345'],
    ['a line break', '粤B12345\nOK'],
    ['an invisible character', '粤B\u200b12345'],
    ['a lone surrogate', '粤B\ud800123'],
    ['17 characters', 'A'.repeat(17)],
    ['a megabyte', 'A'.repeat(1_000_000)],
  ])('with %s is no plate', (_, license) => {
    expect(plateOf(license)).toBeUndefined();
  });

  test('is composed, so that the same plate is the same text', () => {
    expect(plateOf('粤Be\u0301')).toBe('粤B\u00e9');
    expect(plateOf(' 粤BD12345 ')).toBe('粤BD12345');
  });

  test('implausible fields are left out one by one, the event stays', () => {
    expect(
      eventOf(message({ confidence: 250, colorType: 99, timeStamp: { Timeval: { sec: 3 } } }, 'x'.repeat(99))),
    ).toEqual({
      name: 'plate.read',
      data: { plate: '粤B12345', trigger: 'video', stored: false },
      key: '|粤B12345|3.0',
    });
    expect(eventOf(message({ confidence: '88' })).data.confidence).toBe(88);
  });

  test('is the same event when it is sent again, another when the car comes again', () => {
    const first = eventOf(message({})).key;
    expect(eventOf(message({})).key).toBe(first);
    expect(eventOf(message({ timeStamp: { Timeval: { sec: 1_795_233_605, usec: 0 } } })).key).not.toBe(first);
    expect(eventOf(message({ license: '粤B54321' })).key).not.toBe(first);
    expect(eventOf(message({ timeStamp: undefined, imagePath: '%2Fa.jpg' })).key).toContain('/a.jpg');
    expect(eventOf(message({ timeStamp: undefined })).key).toBeUndefined();
  });

  test('kept by the camera is marked as stored, and confirmed so that the next one comes', () => {
    const stored = vzenith.decode(camera, { body: bytes(message({ isoffline: 1, plateid: 123 })) });
    expect(stored.events[0]?.data.stored).toBe(true);
    expect(JSON.parse(stored.answer?.body ?? '')).toMatchObject({
      Response_AlarmInfoPlate: { ContinuePushOffline: { plateid: 123, continue: 1 } },
    });
  });
});

test('the trigger is a set of bits below 64, and 64 to 66 are no arrival', () => {
  expect([1, 8, 9, 2, 3, 4, 12, 0, 64, 65, 66].map(triggerOf)).toEqual([
    'video',
    'video',
    'video',
    'input',
    'input',
    'software',
    'software',
    'video',
    'stay',
    'stay-end',
    'turned-back',
  ]);
});

test('the path of the picture is percent-encoded GBK', () => {
  expect(imagePathOf('%2Fmnt%2F%D4%C1B12345.jpg')).toBe('/mnt/粤B12345.jpg');
  expect(imagePathOf('%2Fmnt%2F%E7%B2%A4B12345.jpg')).toBe('/mnt/粤B12345.jpg');
  expect(imagePathOf('100%.jpg')).toBe('100%.jpg');
});

test('a body in GBK is read as well as one in UTF-8', () => {
  const text = JSON.stringify(message({ license: '@B12345' }));
  const gbk = Buffer.concat(
    text.split('@').flatMap((part, i) => [...(i > 0 ? [Buffer.from('d4c1', 'hex')] : []), Buffer.from(part)]),
  );
  const push = decodePush(gbk);
  expect(push.kind === 'plate' && push.event.data.plate).toBe('粤B12345');
});

describe('what cannot be read is refused, and nothing else happens', () => {
  const nested = `{"AlarmInfoPlate":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  test.each([
    ['an empty body', ''],
    ['half a message', JSON.stringify(message({})).slice(0, 90)],
    ['no JSON', '\u0000\u0001\u0002'],
    ['a list', '[]'],
    ['null', 'null'],
    ['another message', '{"hello":"world"}'],
    ['a plate without a result', '{"AlarmInfoPlate":{"result":{}}}'],
    ['a plate that is a text', '{"AlarmInfoPlate":"粤B12345"}'],
    ['a hundred thousand brackets', nested],
  ])('%s', (_, body) => {
    expect(codeOf(() => decodePush(new TextEncoder().encode(body)))).toBe('push.unreadable');
  });
  test('a plate of a megabyte is no plate; a picture of a megabyte is a picture', () => {
    const read = (result: object) => {
      const push = decodePush(bytes(message(result)));
      return push.kind === 'plate' ? push.event : undefined;
    };
    expect(read({ license: 'x'.repeat(1_000_000) })?.data).not.toHaveProperty('plate');
    const jpeg = Buffer.concat([Buffer.from('ffd8ffe000104a464946', 'hex'), Buffer.alloc(900_000, 7)]);
    expect(read({ imageFile: jpeg.toString('base64') })?.pictures?.[0]?.length).toBe(jpeg.length);
  });
  test('a body over the limit', () => {
    expect(codeOf(() => decodePush(new Uint8Array(MAX_BODY_BYTES + 1)))).toBe('push.unreadable');
  });
  test('a plate pushed to something that is no camera', () => {
    expect(codeOf(() => vzenith.decode({ ...camera, role: 'barrier' }, { body: bytes(message({})) }))).toBe(
      'push.unreadable',
    );
  });
});

test('no answer whatever opens a barrier', () => {
  const bodies = [
    message({}),
    message({ license: '_无_' }),
    message({ isoffline: 1, plateid: 5 }),
    { heartbeat: {} },
    { AlarmGioIn: {} },
    { SerialData: {} },
    { TriggerImage: {} },
  ];
  const answers = bodies.map((body) => vzenith.decode(camera, { body: bytes(body) }).answer?.body ?? '');
  answers.push(vzenith.refusal()?.body ?? '');
  const form = vzenith.decode(camera, { body: bytes({}), contentType: 'multipart/form-data; boundary=-x' });
  answers.push(form.answer?.body ?? '');
  expect(answers.every((answer) => answer.length > 2)).toBe(true);
  for (const answer of answers) {
    expect(answer).not.toMatch(/"info"\s*:\s*"ok"/);
    expect(answer).not.toMatch(/ivs_ioctrl|TriggerImage|manualT/);
  }
});
