import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { decodePush, plateAnswer } from './frame.ts';
import { SimulatedCamera } from './simulator.ts';

let clock: ManualClock;
let camera: SimulatedCamera;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  clock = manualClock();
  camera = new SimulatedCamera({ serial: 'fe71e106-0000001a', clock });
  closers.push(() => Promise.resolve(camera.stop()));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A gateway that answers as told and keeps what it got. */
async function gateway(answer: () => number) {
  const got: string[] = [];
  let heard: () => void = () => {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const push = decodePush(Buffer.concat(chunks), request.headers['content-type']);
      response.statusCode = answer();
      response.end(push.kind === 'plate' ? plateAnswer(push) : '{}');
      got.push(push.kind === 'plate' ? String(push.event.data.plate) : push.kind);
      heard();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  return {
    got,
    url: `http://127.0.0.1:${port}/push/camera?key=k`,
    until: (isSo: () => boolean) =>
      new Promise<void>((resolve) => {
        heard = () => {
          if (isSo()) resolve();
        };
        heard();
      }),
  };
}
const answers = (count: number) =>
  new Promise<void>((resolve) => {
    camera.onAnswer = () => {
      if (camera.answers.length >= count) resolve();
    };
    camera.onAnswer();
  });

test('pushes what it saw in order, after a heartbeat, and takes the answer', async () => {
  const { got, url, until } = await gateway(() => 200);
  camera.pushTo(url);
  await until(() => got.includes('heartbeat'));
  camera.see({ plate: '粤B12345' });
  camera.see({ plate: '粤BD12345', colour: 5 });
  await answers(2);
  expect(got).toEqual(['heartbeat', '粤B12345', '粤BD12345']);
  expect(camera.answers[0]?.body).toContain('"info":"no"');
});

test('sends a result again until it is taken, word for word, and the next one only then', async () => {
  let status = 503;
  const { got, url, until } = await gateway(() => status);
  camera.see({ plate: '粤B12345' });
  camera.see({ plate: '粤B54321' });
  camera.pushTo(url);
  await answers(1);
  await clock.advance(2000);
  await answers(2);
  status = 200;
  await clock.advance(2000);
  await answers(4);
  await until(() => got.includes('粤B54321'));
  expect(got.filter((one) => one !== 'heartbeat')).toEqual(['粤B12345', '粤B12345', '粤B12345', '粤B54321']);
});

test('keeps what nobody takes, up to a hundred results', async () => {
  const dead = await gateway(() => 200);
  for (let i = 0; i < 120; i++) camera.see({ plate: `粤B${i}` });
  camera.pushTo(dead.url);
  await answers(100);
  expect(dead.got.filter((one) => one !== 'heartbeat')).toHaveLength(100);
});

test('says that it is alive every 10 s', async () => {
  const { got, url, until } = await gateway(() => 200);
  camera.pushTo(url);
  await until(() => got.length === 1);
  await clock.advance(10_000);
  await until(() => got.length === 2);
  expect(got).toEqual(['heartbeat', 'heartbeat']);
});
