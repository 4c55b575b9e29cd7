/** The enumerations and places of a record, without the schemas: for threads that must stay small. */
export const lanes = ['L0', 'L1', 'L2', 'L3', 'L4'] as const;
export type Lane = (typeof lanes)[number];

export const kinds = ['telemetry', 'event', 'alarm', 'command', 'state', 'audit', 'gap', 'epoch'] as const;
export type Kind = (typeof kinds)[number];

export const qualities = ['good', 'stale', 'bad'] as const;
export type Quality = (typeof qualities)[number];

/** A place in the journal: everything up to and including this record. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

export const formatPosition = ({ epoch, seq }: Position): string => `${epoch}:${seq}`;

/** @returns undefined if the text is not `epoch:seq` with whole numbers. */
export function parsePosition(text: string): Position | undefined {
  const match = /^(\d{1,4}):(\d{1,12})$/.exec(text);
  return match ? { epoch: Number(match[1]), seq: Number(match[2]) } : undefined;
}
