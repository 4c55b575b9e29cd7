/** Bugs to plant: each breaks one promise in one place of the gateway's own text, and names the trial that must notice. */

interface Edit {
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly id: string;
  readonly about: string;
  /** The trial meant for it, and the promises it may find broken. */
  readonly trial: string;
  readonly promises: readonly string[];
  readonly edits: readonly Edit[];
}

const WRITER = 'runtime/journal/writer.ts';
const DISPATCHER = 'runtime/commands/dispatcher.ts';
const EXECUTION = 'runtime/commands/execution.ts';

export const mutants: readonly Mutant[] = [
  {
    id: 'ack-before-commit',
    about: 'the writer answers before COMMIT',
    trial: 'power-cut',
    promises: ['R1', 'R2'],
    edits: [
      { file: WRITER, from: '      commit.run();\n', to: '' },
      {
        file: WRITER,
        from: 'port.postMessage(run(message.batch));',
        to: 'port.postMessage(run(message.batch));\n    if (db.inTransaction) commit.run();',
      },
    ],
  },
  {
    id: 'sequence-reused',
    about: 'the last number is given again after a start',
    trial: 'power-cut',
    promises: ['R2', 'R3', 'R4'],
    edits: [
      { file: WRITER, from: 'let seq = readSeq();', to: 'let seq = Math.max(0, readSeq() - 1);' },
      { file: WRITER, from: 'insert = db.prepare(`INSERT INTO', to: 'insert = db.prepare(`REPLACE INTO' },
      { file: WRITER, from: 'insertGroup = db.prepare(`INSERT INTO', to: 'insertGroup = db.prepare(`REPLACE INTO' },
    ],
  },
  {
    id: 'synchronous-normal',
    about: 'SQLite flushes at checkpoints only',
    trial: 'power-cut',
    promises: ['R1', 'R2'],
    edits: [
      { file: 'runtime/journal/schema.ts', from: "'synchronous = FULL'", to: "'synchronous = NORMAL'" },
      { file: WRITER, from: 'const SYNCHRONOUS_FULL = 2;', to: 'const SYNCHRONOUS_FULL = 1;' },
    ],
  },
  {
    id: 'synchronous-off',
    about: 'SQLite never flushes',
    trial: 'power-cut',
    promises: ['R1', 'R2', 'R8'],
    edits: [
      { file: 'runtime/journal/schema.ts', from: "'synchronous = FULL'", to: "'synchronous = OFF'" },
      { file: WRITER, from: 'const SYNCHRONOUS_FULL = 2;', to: 'const SYNCHRONOUS_FULL = 0;' },
    ],
  },
  {
    id: 'epoch-kept',
    about: 'a lost database is begun again in the old epoch',
    trial: 'power-cut',
    promises: ['R4'],
    edits: [
      {
        file: 'runtime/journal/identity.ts',
        from: 'sameGateway ? before.epoch : 0) + 1,',
        to: 'sameGateway ? before.epoch : 0) || 1,',
      },
    ],
  },
  {
    id: 'gap-missing',
    about: 'records are removed to make room, and no gap record says so',
    trial: 'power-cut',
    promises: ['R2', 'R5'],
    edits: [{ file: 'runtime/storage/removal.ts', from: 'records: [gapOf(stretch)],', to: 'records: [],' }],
  },
  {
    id: 'cursor-before-puback',
    about: 'the place of an uplink is saved when a batch is sent, not when it is acknowledged',
    trial: 'kill',
    promises: ['U1', 'R2'],
    edits: [
      {
        file: 'runtime/uplink/sender.ts',
        from: 'const flight = lane.take(Math.min(most, recordBytes()), recordBytes());',
        to: 'const flight = lane.take(Math.min(most, recordBytes()), recordBytes());\n    lane.acked(flight);',
      },
    ],
  },
  {
    id: 'pushes-before-commit',
    about: 'a device is answered while its message is still on the way to the disk',
    trial: 'disk',
    promises: ['R1', 'R2', 'B2'],
    edits: [
      {
        file: 'runtime/devices/host.ts',
        from: 'await spoken(entry.speaker, commit({ records: drafts, writes: repeats.writes(keys) }));',
        to: 'void spoken(entry.speaker, commit({ records: drafts, writes: repeats.writes(keys) })).catch(() => {});',
      },
    ],
  },
  {
    id: 'refusal-swallowed',
    about: 'a batch that the disk did not take counts as written',
    trial: 'disk',
    promises: ['R1', 'R2', 'B2'],
    edits: [
      {
        file: 'runtime/journal/journal.ts',
        from: 'if (!again.includes(entry)) entry.reject(error);',
        to: 'if (!again.includes(entry)) entry.resolve([]);',
      },
    ],
  },
  {
    id: 'housekeeping-kills',
    about: 'a checkpoint that fails ends the writer, and the gateway with it',
    trial: 'disk',
    promises: ['R1', 'R2', 'B2'],
    edits: [
      {
        file: WRITER,
        from: '} catch {\n      // A disk that takes nothing now',
        to: '} catch (error) {\n      throw error; // A disk that takes nothing now',
      },
    ],
  },
  {
    id: 'sent-twice',
    about: 'a command goes to the device twice',
    trial: 'chaos',
    promises: ['C2', 'C4'],
    edits: [
      {
        file: EXECUTION,
        from: 'await orAborted(outputs.command(view.device, view.command, view.input, turn), signal);',
        to: 'for (const once of [1, 2]) if (once) await outputs.command(view.device, view.command, view.input, turn);',
      },
    ],
  },
  {
    id: 'byte-before-record',
    about: 'the byte leaves before the command is recorded as executing',
    trial: 'commands',
    promises: ['C3', 'C4'],
    edits: [{ file: EXECUTION, from: 'await executing();', to: 'void executing();' }],
  },
  {
    id: 'sent-late',
    about: 'a command whose time is over is carried out',
    trial: 'chaos',
    promises: ['C2', 'C5'],
    edits: [
      {
        file: EXECUTION,
        from: 'const isLate = () => clock.mono() >= deadline;',
        to: 'const isLate = () => clock.mono() >= deadline + 60_000;',
      },
      { file: EXECUTION, from: 'if (!sent) running.abort.abort(', to: 'if (!sent && isLate()) running.abort.abort(' },
    ],
  },
  {
    id: 'ended-twice',
    about: 'the end of a command is told twice',
    trial: 'chaos',
    promises: ['C3'],
    edits: [
      {
        file: EXECUTION,
        from: 'if (letsGo) leases.ended(letsGo);',
        to: 'if (letsGo) leases.ended(letsGo);\n        else await change({ ...view, ...end }, recorder);',
      },
    ],
  },
  {
    id: 'sent-again',
    about: 'what was being carried out when the gateway died is sent again after the restart',
    trial: 'chaos',
    promises: ['C2', 'C4'],
    edits: [
      {
        file: DISPATCHER,
        from: 'const proven = proof !== undefined && (await this.#prover.is(view.device, proof));',
        to: `const turn = { begin: async () => {}, signal: AbortSignal.timeout(5000) };
    await this.#parts.outputs.command(view.device, view.command, view.input, turn).catch(() => {});
    const proven = proof !== undefined && (await this.#prover.is(view.device, proof));`,
      },
    ],
  },
  {
    id: 'alarm-lost',
    about: 'what comes back while nobody has acknowledged it is no alarm any more',
    trial: 'chaos',
    promises: ['R2'],
    edits: [
      {
        file: 'runtime/alarms/lifecycle.ts',
        from: '  if (holds(view)) return undefined;\n  const aside = isAside(view);',
        to: "  if (holds(view) || view.handling === 'waiting') return undefined;\n  const aside = isAside(view);",
      },
    ],
  },
  {
    id: 'hold-kept',
    about: 'what was held when the gateway died is not let go after the restart',
    trial: 'chaos',
    promises: ['F1'],
    edits: [{ file: 'runtime/commands/leases.ts', from: "this.letGo(lease, 'restart');", to: 'void lease;' }],
  },
  {
    id: 'door-forgotten',
    about: 'a fire does not reach the doors',
    trial: 'chaos',
    promises: ['F7'],
    edits: [
      {
        file: 'runtime/linkages/places.ts',
        from: 'device.scenario === scenario && device.role === role;',
        to: "device.scenario === scenario && device.role === role && scenario !== 'pedestrian-gate';",
      },
    ],
  },
];
