import { entryTypes } from './entries.ts';
import { type EntryKind, type Problem, problemError, type What } from './problem.ts';

/** @throws GatehouseError with the words of one problem */
export function refuse(kind: EntryKind, id: string, what: What, code: Problem['code'], fill: Problem['fill']): never {
  throw problemError([{ what, code, kind, id, path: [], fill }]);
}

/** @throws GatehouseError `device.not_found`, `inventory.not_found` */
export function absent(kind: EntryKind, id: string): never {
  refuse(kind, id, 'absent', entryTypes[kind].codes.absent, { id });
}
