/** A worker thread that is many MQTT devices: contract JSON at QoS 1, every message a changed value, so every one a record. */
import { parentPort, workerData } from 'node:worker_threads';
import { openPublisher, type Publisher, publish } from './mqtt-wire.ts';

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly devices: readonly { readonly id: string; readonly password: string }[];
  /** Messages a second over all devices; or how many each device has on the way at any time, as fast as it goes. */
  readonly pace: { readonly perSecond: number } | { readonly window: number };
}
export interface Sent {
  readonly sent: number;
  readonly acked: number;
  /** ms since the first message. */
  readonly ms: number;
}
export type FromLoad = { readonly ready: true } | Sent;
/** `count` asks how far it is; `stop` ends it after the last acknowledgement. */
export type ToLoad = 'start' | 'count' | 'stop';

const LAST_ACK_MS = 5000;
const TICK_MS = 1;
/** Messages made in advance for each device: more than can be on the way, so no id is used twice at a time. */
const RING = 64;
/** Steps of 0.5 %/m: more than the deadband of the profile, far below smoke. */
const LEVELS = 8;

/** What the simulated detector says, with one of its values changed. */
const message = (device: string, id: number): Buffer => {
  const values = { smokeDetected: false, smoke: (id % LEVELS) / 2, battery: 92, tampered: false };
  return publish(`gatehouse/devices/${device}/up/telemetry`, id, JSON.stringify({ values }));
};

export async function runLoad(port: NonNullable<typeof parentPort>, load: Load): Promise<void> {
  const publishers: Publisher[] = [];
  for (const { id, password } of load.devices) publishers.push(await openPublisher(load.host, load.port, id, password)); // one by one: few may stand in the door
  const rings = load.devices.map(({ id }) => Array.from({ length: RING }, (_, n) => message(id, n + 1)));
  const places = new Uint32Array(publishers.length);
  let sent = 0;
  let acked = 0;
  let began = 0;
  let stopped = false;

  const next = (device: number): Buffer => {
    sent++;
    const place = places[device] ?? 0;
    places[device] = (place + 1) % RING;
    return rings[device]?.[place] ?? Buffer.alloc(0);
  };
  const told = (): Sent => ({ sent, acked, ms: performance.now() - began });

  function startPaced(perSecond: number): void {
    for (const publisher of publishers) publisher.onAck = () => void acked++;
    const tick = () => {
      if (stopped) return;
      for (const due = ((performance.now() - began) * perSecond) / 1000; sent < due; ) {
        const device = sent % publishers.length;
        publishers[device]?.socket.write(next(device));
      }
      setTimeout(tick, TICK_MS);
    };
    tick();
  }

  function startWindowed(window: number): void {
    publishers.forEach((publisher, device) => {
      let due = window;
      const flush = () => {
        if (!stopped && due > 0) publisher.socket.write(Buffer.concat(Array.from({ length: due }, () => next(device))));
        due = 0;
      };
      publisher.onAck = () => {
        acked++;
        if (due++ === 0) queueMicrotask(flush);
      };
      flush();
    });
  }

  async function stop(): Promise<void> {
    stopped = true;
    for (const until = performance.now() + LAST_ACK_MS; acked < sent && performance.now() < until; )
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    for (const { socket } of publishers) socket.removeAllListeners().destroy();
    port.postMessage(told());
    port.close();
  }

  port.on('message', (message: ToLoad) => {
    if (message === 'stop') void stop();
    else if (message === 'count') port.postMessage(told());
    else {
      began = performance.now();
      if ('window' in load.pace) startWindowed(load.pace.window);
      else startPaced(load.pace.perSecond);
    }
  });
  port.postMessage({ ready: true } satisfies FromLoad);
}

if (parentPort) await runLoad(parentPort, workerData as Load);
