/**
 * The one error class and the catalogue of every code. A code is `area.reason`; a retired code is never used again.
 * `title` is for developers and logs (RFC 9457 `title`); what guards and installers read comes from the locale files.
 */
export const catalogue = {
  'access.gate_unknown': { status: 404, title: 'No such gate or lane' },
  'alarm.not_found': { status: 404, title: 'No such alarm' },
  'alarm.wrong_state': { status: 409, title: 'The alarm is not in a state that allows this' },
  'auth.approval': { status: 403, title: 'The approval is spent or too old' },
  'auth.forbidden': { status: 403, title: 'Your role may not do this' },
  'auth.invalid': { status: 401, title: 'Name or secret is wrong' },
  'auth.locked': { status: 429, title: 'Too many failed attempts' },
  'auth.missing': { status: 401, title: 'Log in first' },
  'auth.origin': { status: 403, title: 'Request came from a foreign page' },
  'auth.reauth': { status: 403, title: 'Confirm with your password first' },
  'auth.setup_closed': { status: 409, title: 'The set-up code is used, spent or expired' },
  'auth.weak_password': { status: 422, title: 'The password is too weak' },
  'backup.busy': { status: 409, title: 'A backup is being made' },
  'backup.damaged': { status: 422, title: 'The archive is damaged or was changed' },
  'backup.format': { status: 422, title: 'Not an archive this version can read' },
  'backup.key': { status: 422, title: 'Neither the key nor the passphrase opens this archive' },
  'backup.not_empty': { status: 409, title: 'The directory to restore into is not empty' },
  'backup.not_found': { status: 404, title: 'No such backup' },
  'backup.passphrase': { status: 422, title: 'The passphrase is too weak' },
  'backup.room': { status: 507, title: 'Not enough disk space for the backup' },
  'command.busy': { status: 409, title: 'Another command is running on this output' },
  'command.conflict': { status: 409, title: 'This Idempotency-Key was used for another command' },
  'command.expired': { status: 409, title: 'The deadline has passed' },
  'command.forbidden': { status: 403, title: 'Your role may not send this command' },
  'command.foreign': { status: 403, title: 'The command is for another gateway' },
  'command.held': { status: 409, title: 'The output is held' },
  'command.interlock': { status: 409, title: 'An interlock forbids this now' },
  'command.invalid': { status: 422, title: 'The command does not fit its contract' },
  'command.lease_over': { status: 409, title: 'This hold has ended' },
  'command.not_found': { status: 404, title: 'No such command' },
  'command.offline': { status: 409, title: 'The device does not answer' },
  'command.rate': { status: 429, title: 'Too many commands for this output' },
  'command.replayed': { status: 409, title: 'This nonce was used before' },
  'command.retained': { status: 409, title: 'A retained command is never carried out' },
  'command.signature': { status: 403, title: 'The signature does not hold' },
  'command.stale': { status: 409, title: 'Nothing proves that the command is fresh' },
  'command.superseded': { status: 409, title: 'A command of higher priority took the output' },
  'command.unproven': { status: 502, title: 'The device did not reach the commanded state' },
  'command.unsupported': { status: 422, title: 'This device has no such command' },
  'config.invalid': { status: 422, title: 'The configuration is not valid' },
  'device.address_taken': { status: 409, title: 'Another device has this address' },
  'device.exists': { status: 409, title: 'A device with this id exists' },
  'device.invalid': { status: 422, title: 'The device description is not valid' },
  'device.not_found': { status: 404, title: 'No such device' },
  'device.profile_unknown': { status: 422, title: 'No such firmware profile' },
  'driver.closed': { status: 503, title: 'The link to the device is closed' },
  'driver.frame': { status: 502, title: 'The device sent something that is not a frame' },
  'driver.mismatch': { status: 502, title: 'The answer does not belong to the request' },
  'driver.refused': { status: 502, title: 'The device refused the request' },
  'driver.timeout': { status: 504, title: 'The device did not answer in time' },
  'evidence.not_found': { status: 404, title: 'No such picture' },
  'flows.editor_closed': { status: 403, title: 'The editor is open in maintenance mode only' },
  'flows.off': { status: 503, title: 'The flow process is not running' },
  'flows.version': { status: 404, title: 'No such version of the flows' },
  'http.internal': { status: 500, title: 'The gateway failed to handle this request' },
  'http.invalid': { status: 400, title: 'The request is not valid' },
  'http.listen': { status: 500, title: 'The gateway cannot listen on this address' },
  'http.not_found': { status: 404, title: 'No such address' },
  'http.port_taken': { status: 500, title: 'Another program uses this port' },
  'http.rate': { status: 429, title: 'Too many requests' },
  'http.too_large': { status: 413, title: 'The request is too large' },
  'http.unsupported': { status: 415, title: 'This content type is not accepted here' },
  'inventory.conflict': { status: 409, title: 'An entry with this id exists' },
  'inventory.in_use': { status: 409, title: 'Other entries depend on this one' },
  'inventory.invalid': { status: 422, title: 'The entry is not valid' },
  'inventory.not_found': { status: 404, title: 'No such entry' },
  'linkage.not_found': { status: 404, title: 'No such linkage' },
  'journal.closed': { status: 503, title: 'The journal is closed' },
  'journal.full': { status: 507, title: 'The journal is full' },
  'journal.newer': { status: 503, title: 'The journal was written by a newer version' },
  'journal.position': { status: 400, title: 'Not a journal position (epoch:seq)' },
  'journal.write': { status: 503, title: 'The journal could not be written' },
  'notice.not_found': { status: 404, title: 'No such notice' },
  'notice.too_many': { status: 429, title: 'Too many notices at once' },
  'profile.invalid': { status: 422, title: 'The firmware profile is not valid' },
  'push.key': { status: 401, title: 'The key of the push address is wrong' },
  'push.tls': { status: 403, title: 'This device may push over TLS only' },
  'push.unreadable': { status: 400, title: 'The pushed message cannot be read' },
  'record.exports': { status: 429, title: 'Too many exports are running' },
  'record.invalid': { status: 422, title: 'The record does not fit its contract' },
  'record.not_found': { status: 404, title: 'No such record' },
  'record.reason': { status: 422, title: 'Say why you export these records' },
  'record.search': { status: 503, title: 'The search failed' },
  'record.slow': { status: 503, title: 'The search takes too long: narrow it by time, device or kind' },
  'replay.busy': { status: 429, title: 'Another replay is running' },
  'replay.failed': { status: 422, title: 'The flow could not be replayed' },
  'replay.not_found': { status: 404, title: 'No such replay' },
  'replay.tab': { status: 422, title: 'No such flow tab' },
  'site.invalid': { status: 422, title: 'The site file is not valid' },
  'site.unreadable': { status: 422, title: 'The site file cannot be read' },
  'storage.unwritable': { status: 503, title: 'The data directory cannot be written' },
  'stream.limit': { status: 409, title: 'Too many open streams' },
  'uplink.busy': { status: 429, title: 'Too many replays wait' },
  'uplink.range': { status: 416, title: 'Not a stretch of this journal' },
  'uplink.topic': { status: 422, title: 'Not a valid topic level' },
  'user.exists': { status: 409, title: 'A user with this name exists' },
  'user.invalid': { status: 422, title: 'The user is not valid' },
  'user.last_admin': { status: 409, title: 'The last administrator cannot be removed' },
  'user.not_found': { status: 404, title: 'No such user' },
  'workorder.not_found': { status: 404, title: 'No such work order' },
  'workorder.too_many': { status: 429, title: 'Too many work orders' },
  'workorder.wrong_state': { status: 409, title: 'The work order is finished' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof catalogue;

/** An expected failure with a code of the catalogue; `message` holds the ids or bytes needed to act. */
export class GatehouseError extends Error {
  readonly code: ErrorCode;
  /** What the reader can do or needs to know beyond the message: field paths, retry times, remedy. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; detail?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GatehouseError';
    this.code = code;
    this.detail = options.detail;
  }

  get status(): number {
    return catalogue[this.code].status;
  }
}

/** The text of anything thrown, for a log line or a record. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
