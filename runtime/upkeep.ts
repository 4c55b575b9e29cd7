/** What keeps a running gateway restorable: backups, the look back at damage, and the check of every start. */
import type { Alarms } from './alarms/alarms.ts';
import { type Backups, createBackups } from './backup/backups.ts';
import { type Clock, every } from './clock.ts';
import type { JournalRecord } from './contracts/record.ts';
import { auditHead, verifyAudit } from './journal/chain.ts';
import { checkAside } from './journal/check.ts';
import type { Journal } from './journal/journal.ts';
import { salvageQuarantine } from './journal/salvage.ts';
import type { Log } from './log.ts';
import { ownAudit, selfCheck } from './self-check.ts';

export interface UpkeepParts {
  readonly directory: string;
  readonly journal: Journal;
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly clockQuality: () => JournalRecord['clock'];
  readonly log: Log;
  readonly version: string;
}
export interface Upkeep {
  readonly backups: Backups;
  stop(): Promise<void>;
}

/** Away from everything a start has to do. */
const CHECK_AFTER_MS = 60_000;
const ACTOR = 'system:upkeep';
/** Records of the audit chain that every start holds against each other. */
const AUDIT_TAIL = 1000;
const HOUR_MS = 3600_000;

/** Checks, records the start, and begins what runs in the background. */
export async function startUpkeep({
  directory,
  journal,
  alarms,
  clock,
  clockQuality,
  log,
  version,
}: UpkeepParts): Promise<Upkeep> {
  const ending = new AbortController();
  const alarm = (kind: string, data: Record<string, unknown> | undefined) =>
    data === undefined
      ? alarms.clear('', kind, undefined, ACTOR)
      : alarms.raise({ device: '', scenario: 'gateway', zone: '', kind, actor: ACTOR, data });
  const backups = createBackups({
    ...{ directory, journal, clock, log, version },
    report: (fault) => alarm('backupFailed', fault === undefined ? undefined : { fault }),
  });

  const { reason, migrated } = journal.started;
  const audit = verifyAudit(journal.db, directory, AUDIT_TAIL);
  const findings = selfCheck({
    dataDir: directory,
    now: clock.now(),
    clock: clockQuality(),
    epochReason: reason,
    auditFaults: audit?.faults ?? [],
    lastBackup: backups.list()[0]?.created,
  });
  const certificate = findings.find(({ check }) => check === 'certificate');
  await alarm('certificateExpiring', certificate?.detail);
  const broken = findings.find(({ check }) => check === 'audit');
  await alarm('auditBroken', broken?.detail);
  const facts = { version, node: process.version, epoch: journal.epoch, ...(migrated ? { migrated } : {}) };
  await journal.append(ownAudit('gateway.started', { ...facts, findings }, 'system:start'));

  // Its head leaves with the other records (AU3): what is cut off at the end shows where the records went.
  const stopHeads = every(clock, HOUR_MS, () => {
    const head = auditHead(journal.db);
    if (head === undefined) return;
    journal
      .append(ownAudit('audit.head', head, ACTOR))
      .catch((error: unknown) => log.error({ err: error }, 'the head of the audit chain could not be recorded'));
  });

  void salvageQuarantine(directory, journal, log, ending.signal).catch((error: unknown) =>
    log.error({ err: error }, 'the quarantine could not be looked at'),
  );
  const stopCheck = clock.after(CHECK_AFTER_MS, () => {
    checkAside(directory, ending.signal).then(
      (fault) => {
        if (fault === undefined) return;
        log.fatal({ fault }, 'the database is damaged: the next start puts it aside');
        setImmediate(() => {
          throw new Error(`The database is damaged: ${fault}`); // ends the process; the supervisor starts it afresh (V5)
        });
      },
      (error: unknown) => {
        if (!ending.signal.aborted) log.error({ err: error }, 'the database could not be checked');
      },
    );
  });
  return {
    backups,
    async stop() {
      ending.abort();
      stopCheck();
      stopHeads();
      await backups.stop();
    },
  };
}
