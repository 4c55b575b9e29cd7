/** The seven ways a node can fail, and which of the gateway's error codes mean which (ux.md 11.3). */
import type { Red } from './red.ts';

export const failureCodes = [
  'GH_TIMEOUT',
  'GH_OFFLINE',
  'GH_REFUSED',
  'GH_INTERLOCK',
  'GH_BAD_INPUT',
  'GH_FORBIDDEN',
  'GH_REPLAY',
] as const;
export type FailureCode = (typeof failureCodes)[number];

/** What `done(error)` carries: Catch nodes find `code` in `msg.error.code`. */
export class NodeFailure extends Error {
  readonly code: FailureCode;
  /** Locale key below `failure.`, and what it speaks of. */
  readonly reason: string;
  readonly values: Readonly<Record<string, string>>;

  constructor(code: FailureCode, reason: string, values: Readonly<Record<string, string>> = {}) {
    super(values.detail === undefined ? reason : `${reason}: ${values.detail}`);
    this.name = 'NodeFailure';
    this.code = code;
    this.reason = reason;
    this.values = values;
  }
}

/** Anything thrown, as the error a person reads in the debug sidebar. */
export function explain(red: Red, error: unknown): NodeFailure {
  const failure =
    error instanceof NodeFailure
      ? error
      : new NodeFailure('GH_REFUSED', 'unexpected', { detail: error instanceof Error ? error.message : String(error) });
  failure.message = `${red._(`code.${failure.code}`)}: ${red._(`failure.${failure.reason}`, failure.values)}`;
  return failure;
}

const exact: Readonly<Record<string, FailureCode>> = {
  'access.gate_unknown': 'GH_BAD_INPUT',
  'command.expired': 'GH_TIMEOUT',
  'command.forbidden': 'GH_FORBIDDEN',
  'command.interlock': 'GH_INTERLOCK',
  'command.invalid': 'GH_BAD_INPUT',
  'command.not_found': 'GH_BAD_INPUT',
  'command.offline': 'GH_OFFLINE',
  'command.unsupported': 'GH_BAD_INPUT',
  'device.not_found': 'GH_BAD_INPUT',
  'driver.closed': 'GH_OFFLINE',
  'driver.timeout': 'GH_TIMEOUT',
  'record.invalid': 'GH_BAD_INPUT',
};

/** @param code of the gateway's catalogue @param status of the HTTP answer, for codes this list does not name */
export function failureOf(code: string | undefined, status: number): FailureCode {
  const known = code === undefined ? undefined : exact[code];
  if (known) return known;
  if (status === 401 || status === 403) return 'GH_FORBIDDEN';
  if (status === 400 || status === 404 || status === 422) return 'GH_BAD_INPUT';
  if (status === 504) return 'GH_TIMEOUT';
  return 'GH_REFUSED';
}
