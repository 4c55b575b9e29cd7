/** The door in front of the broker: how many may stand in it, and what they may bring before they have logged in. */
import type { Socket } from 'node:net';
import { GuardedSocket, type PacketLimits } from './guard.ts';
import type { RefusalReason } from './refusals.ts';

export interface AdmissionLimits extends PacketLimits {
  readonly connections: number;
  /** Connections of one address that have not logged in yet. */
  readonly pendingPerAddress: number;
}

/**
 * @param refuse told of every connection turned away or cut off.
 * @param enter takes an admitted connection; it calls `open()` on it once the device has logged in.
 */
export function createAdmission(
  limits: AdmissionLimits,
  refuse: (reason: RefusalReason, address: string, detail: string) => void,
  enter: (socket: GuardedSocket) => void,
) {
  const sockets = new Set<GuardedSocket>();
  const pending = new Map<string, number>();
  return {
    admit(socket: Socket): void {
      socket.setNoDelay(true); // PUBACKs are tiny: without it each waits 40 ms for the next
      const address = socket.remoteAddress ?? '';
      const waiting = pending.get(address) ?? 0;
      if (waiting >= limits.pendingPerAddress) {
        refuse('too-many', address, `more than ${limits.pendingPerAddress} connections without log-in`);
        socket.on('error', () => socket.destroy());
        socket.destroy();
        return;
      }
      pending.set(address, waiting + 1);
      const guarded = new GuardedSocket(socket, limits, (fault) => refuse('packet', address, fault));
      let counted = true;
      const settle = () => {
        if (!counted) return;
        counted = false;
        const left = (pending.get(address) ?? 1) - 1;
        if (left > 0) pending.set(address, left);
        else pending.delete(address);
      };
      sockets.add(guarded);
      guarded.once('open', settle);
      guarded.once('close', () => {
        settle();
        sockets.delete(guarded);
      });
      enter(guarded);
    },
    close(): void {
      for (const socket of sockets) socket.destroy();
    },
  };
}
