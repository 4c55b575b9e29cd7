/** The name of a request for a replay says which chain and which stretch it was for; the gateway repeats it in each answer. */
import { type Batch, type Chain, chains } from './message.ts';

export interface Request {
  readonly chain: Chain;
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
}

/** @param mark sets apart two requests for the same stretch */
export const replayId = ({ chain, epoch, after, through }: Request, mark: string): string =>
  `${chain}.${epoch}.${after}.${through}.${mark}`;

/** @returns the chain a replayed batch is a link of; undefined if it answers nobody or someone else. */
export function chainOfReplay({ replay, epoch, after, through }: Batch): Chain | undefined {
  const [, name, ...numbers] = /^(\w+)\.(\d+)\.(\d+)\.(\d+)\.\w+$/.exec(replay ?? '') ?? [];
  const [ofEpoch = 0, from = 0, to = 0] = numbers.map(Number);
  const within = epoch === ofEpoch && after >= from && through <= to;
  return within ? chains.find((chain) => chain === name) : undefined;
}
