/**
 * Who is calling: log-in by password or PIN, sessions, bearer tokens of platforms, the token of the flow process
 * (reliability.md A1 to A9). Every log-in and refusal is an audit record before it is an answer.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Static } from 'typebox';
import { type Clock, every } from '../clock.ts';
import type { login, Session } from '../contracts/api.ts';
import type { Role, Sender } from '../contracts/contract.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal, Write } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { type Accounts, createAccounts } from './accounts.ts';
import { createApprovals } from './approvals.ts';
import { auditDraft, createRefusals, type Refusals } from './audit.ts';
import { accountSubject, addressSubject, createLockouts, lockoutSchema, readLocks, storeLock } from './lockout.ts';
import { createSessions, type LoginSession } from './login-sessions.ts';
import { createHasher, loadPepper } from './passwords.ts';
import type { CallerRole } from './rights.ts';
import { createSetupCode } from './setup-code.ts';
import { readSessions, secretHash, usersSchema } from './users.ts';

export const schema = `${usersSchema}${lockoutSchema}`;

/** Somebody with proven rights; lives as long as one request or one stream. */
export interface Caller {
  readonly role: CallerRole;
  readonly name: string;
  readonly displayName: string;
  /** As records name it: `user:…`, `platform:…`, `flow:…`. */
  readonly actor: string;
  readonly sender: Sender;
  /** Counts requests: one session, token or process. */
  readonly bucket: string;
  readonly via: 'session' | 'token' | 'flow';
  readonly session?: LoginSession;
  /** ms UTC; the flow's token lives as long as the process. */
  expiresAt(): number;
  /** False once logged out, expired, disabled or withdrawn. */
  valid(): boolean;
}

export interface Credentials {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
  /** Flow that acts, told by the flow process. */
  readonly flow?: string | undefined;
}

export interface AuthOptions {
  readonly journal: Pick<Journal, 'append' | 'commit' | 'db'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Data directory; the pepper lives in `secrets/` below it. */
  readonly directory: string;
  readonly mode: 'demo' | 'site';
  /** No listener can be reached from another machine: the condition for demo accounts. */
  readonly loopbackOnly: boolean;
  /** Words of the site that make no password, e.g. its name. */
  readonly siteWords?: readonly string[];
}

export interface Auth extends AsyncDisposable {
  /** Bearer token of the flow process; new at each start, never stored. */
  readonly flowToken: string;
  readonly mode: 'demo' | 'site';
  readonly accounts: Accounts;
  readonly refusals: Refusals;
  /** @returns undefined without credentials or with a session that is over. @throws `auth.invalid` for a wrong token */
  authenticate(credentials: Credentials): Caller | undefined;
  /** @throws GatehouseError `auth.invalid`, `auth.locked`, `http.invalid`, `http.rate` */
  login(given: Static<typeof login>, address: string): Promise<{ secret: string; session: Session }>;
  /** Gives the password again, for what asks a fresh proof. @throws as `login` */
  confirm(caller: Caller, given: { password?: string; pin?: string }, address: string): Promise<Session>;
  /**
   * Lends a leader's rights to the next change of the caller's session (approvals.ts).
   * @throws as `login`; GatehouseError `auth.forbidden` if the name proven leads nobody
   */
  approve(
    caller: Caller,
    given: { name: string; pin: string },
    address: string,
  ): Promise<{ approval: string; expiresAt: number }>;
  /** The leader whose rights this change is done with. @throws GatehouseError `auth.approval` for one that is spent */
  approved(caller: Caller, approval: string): Caller;
  logout(caller: Caller): Promise<void>;
  sessionOf(caller: Caller): Session;
  /** Names for the log-in tiles: who has a PIN. */
  tiles(): { name: string; displayName: string; role: Role }[];
  /** The code to print at start, while no administrator exists. */
  setupCode(): string | undefined;
  setupNeeded(): boolean;
  /** Makes the first administrator and logs it in. @throws `auth.setup_closed`, `auth.invalid`, `auth.weak_password` */
  setup(
    given: { code: string; name: string; displayName: string; password: string },
    address: string,
  ): Promise<{ secret: string; session: Session }>;
}

const SAVE_EVERY_MS = 60_000;
/** Whose PIN approves what a guard may not do alone. */
const LEADERS: readonly Role[] = ['shift-leader', 'admin'];

/** @throws file system errors of the pepper file as they come */
export async function openAuth(options: AuthOptions): Promise<Auth> {
  const { journal, clock, log, mode } = options;
  const { pepper, fresh } = await loadPepper(join(options.directory, 'secrets', 'pepper'));
  const hasher = createHasher(pepper);
  const sessions = createSessions(clock, readSessions(journal.db));
  const lockouts = createLockouts(clock, readLocks(journal.db));
  const refusals = createRefusals(journal, clock, log);
  const accounts = createAccounts({ ...options, hasher, sessions, lockouts });
  const setupCode = createSetupCode(clock);
  const approvals = createApprovals(clock);
  const flowToken = randomBytes(32).toString('base64url');
  const flowHash = secretHash(flowToken);
  if (fresh && accounts.list().length > 0) log.error('the pepper is gone: no stored password or PIN fits any more');
  if (mode !== 'demo' || !options.loopbackOnly) await accounts.retireDemo();

  const stopSaving = every(clock, SAVE_EVERY_MS, () => {
    const writes = [...sessions.save(), ...lockouts.save()];
    if (writes.length === 0) return;
    journal.commit({ writes }).catch((error) => log.error({ err: error }, 'sessions and locks are not saved'));
  });

  const callerOf = (session: LoginSession): Caller | undefined => {
    const account = accounts.get(session.account);
    if (!account || account.disabled) return undefined;
    return {
      role: account.role,
      name: account.name,
      displayName: account.displayName,
      actor: `user:${account.name}`,
      sender: account.role,
      bucket: `session:${session.id}`,
      via: 'session',
      session,
      expiresAt: session.expiresAt,
      valid: () => session.alive() && accounts.get(account.name)?.disabled === false,
    };
  };

  /** Checks one secret, counting the try; whatever the reason of a failure, answer and effort are the same. */
  async function prove(name: string, given: { password?: string; pin?: string }, address: string) {
    const method = given.pin === undefined ? 'password' : 'pin';
    const secret = given.pin ?? given.password;
    if (secret === undefined || (given.pin !== undefined && given.password !== undefined)) {
      throw new GatehouseError('http.invalid', 'body: either password or pin');
    }
    const known = accounts.get(name.toLowerCase());
    // A name nobody has may be a password typed into the wrong field: it is not written down.
    const actor = known ? `user:${known.name}` : 'system:http';
    const facts = { method, address, known: known !== undefined };
    const subjects = [accountSubject(name), addressSubject(address)];
    const wait = Math.max(...subjects.map((subject) => lockouts.locked(subject)));
    if (wait > 0) {
      refusals.note('auth.login.locked', facts, actor);
      throw new GatehouseError('auth.locked', 'Too many failed attempts, wait', { detail: { retryAfterMs: wait } });
    }
    const tries = subjects.map((subject) => lockouts.begin(subject));
    const good = await hasher.verify(secret, known?.disabled === false ? known[method] : undefined);
    const account = known && accounts.get(known.name);
    if (!good || !account || account.disabled) {
      const locks = tries.flatMap(({ lock }) => (lock ? [lock] : []));
      const records = [
        auditDraft('auth.login.failed', facts, actor),
        ...locks.map(({ subject, leftMs }) =>
          auditDraft('auth.login.locked', { ...facts, forMs: leftMs, by: subject.split(':')[0] }, actor),
        ),
      ];
      await journal.commit({ records, writes: locks.map(storeLock) });
      throw new GatehouseError('auth.invalid', 'Name or secret is wrong');
    }
    for (const entry of tries) entry.succeeded();
    return { account, method, facts, actor } as const;
  }

  async function openSession(name: string, method: 'password' | 'pin', facts: object, also: readonly Write[] = []) {
    const opened = sessions.open(name, method);
    await journal.commit({
      records: [auditDraft('auth.login.succeeded', facts, `user:${name}`)],
      writes: [...also, ...opened.writes],
    });
    const caller = callerOf(opened.start());
    if (!caller) throw new GatehouseError('auth.invalid', 'Name or secret is wrong');
    return { secret: opened.secret, session: auth.sessionOf(caller) };
  }

  const auth: Auth = {
    flowToken,
    mode,
    accounts,
    refusals,
    authenticate({ authorization, cookie, flow }) {
      if (authorization !== undefined) {
        const secret = /^Bearer ([\w.~+/=-]{1,512})$/.exec(authorization)?.[1];
        const hash = secret === undefined ? '' : secretHash(secret);
        if (hash === flowHash) return flowCaller(flow ?? 'main');
        const token = accounts.token(hash);
        if (!token) throw new GatehouseError('auth.invalid', 'The token is not valid');
        const expiry = { expiresAt: () => token.expiresAt, valid: () => accounts.token(hash) !== undefined };
        // A Node-RED elsewhere: the rights of a flow, under the name its token was made for.
        if (token.scope === 'flow') {
          const caller = flowCaller(`${token.platform}.${flow ?? 'main'}`.slice(0, LONGEST_FLOW));
          return { ...caller, ...expiry, bucket: `token:${token.id}` };
        }
        return {
          role: 'platform',
          name: token.platform,
          displayName: token.platform,
          actor: `platform:${token.platform}`,
          sender: 'platform',
          bucket: `token:${token.id}`,
          via: 'token',
          ...expiry,
        };
      }
      const session = cookie === undefined ? undefined : sessions.find(cookie);
      return session && callerOf(session);
    },
    async login(given, address) {
      const { account, method, facts } = await prove(given.name, given, address);
      return openSession(account.name, method, facts);
    },
    async confirm(caller, given, address) {
      if (!caller.session) throw new GatehouseError('auth.forbidden', 'A token has nothing to confirm');
      const { facts, actor } = await prove(caller.name, given, address);
      await journal.append(auditDraft('auth.login.confirmed', facts, actor));
      caller.session.prove();
      return auth.sessionOf(caller);
    },
    async approve(caller, { name, pin }, address) {
      if (!caller.session) throw new GatehouseError('auth.forbidden', 'A token has no panel to approve at');
      const { account, facts, actor } = await prove(name, { pin }, address);
      if (!LEADERS.includes(account.role)) {
        refusals.note('auth.approval.refused', { ...facts, for: caller.name }, actor);
        throw new GatehouseError('auth.forbidden', `${account.role} may not approve; a shift leader can`);
      }
      await journal.append(auditDraft('auth.approval.given', { ...facts, for: caller.name }, actor));
      const { secret, leftMs } = approvals.give(account.name, caller.session.id);
      return { approval: secret, expiresAt: clock.now() + leftMs };
    },
    approved(caller, approval) {
      const name = caller.session && approvals.take(approval, caller.session.id);
      const leader = name === undefined ? undefined : accounts.get(name);
      if (!leader || leader.disabled) {
        throw new GatehouseError('auth.approval', 'The approval is spent or too old: enter the PIN again');
      }
      // Six digits at somebody else's panel never lend more than the shift: what is an administrator's asks a password (A2).
      const role = 'shift-leader';
      const { displayName } = leader;
      return { ...caller, role, sender: role, name: leader.name, displayName, actor: `user:${leader.name}` };
    },
    async logout(caller) {
      if (!caller.session) return;
      await journal.commit({
        records: [auditDraft('auth.logout.done', {}, caller.actor)],
        writes: [caller.session.end()],
      });
    },
    sessionOf(caller) {
      if (caller.role === 'flow') throw new GatehouseError('auth.forbidden', 'The flow process has no session');
      return {
        name: caller.name,
        displayName: caller.displayName,
        role: caller.role,
        expiresAt: caller.expiresAt(),
        mode,
      };
    },
    tiles: () =>
      accounts
        .list()
        .filter(({ pin, disabled }) => pin !== undefined && !disabled)
        .map(({ name, displayName, role }) => ({ name, displayName, role })),
    setupNeeded: () => !accounts.hasAdmin(),
    setupCode: () => (accounts.hasAdmin() ? undefined : setupCode.text()),
    async setup({ code, name, displayName, password }, address) {
      if (accounts.hasAdmin()) throw new GatehouseError('auth.setup_closed', 'An administrator exists already');
      try {
        setupCode.check(code);
      } catch (error) {
        refusals.note('auth.setup.refused', { address }, 'system:http');
        throw error;
      }
      await accounts.createFirstAdmin({ name, displayName, password });
      setupCode.spend();
      return openSession(name, 'password', { method: 'setup', address });
    },
    async [Symbol.asyncDispose]() {
      stopSaving();
      refusals.close();
      const writes = [...sessions.save(), ...lockouts.save()];
      if (writes.length > 0) await journal.commit({ writes });
    },
  };
  return auth;
}

const LONGEST_FLOW = 64;
const FLOW_ID = /^[\w.-]{1,64}$/;

const flowCaller = (flow: string): Caller => {
  const name = FLOW_ID.test(flow) ? flow : 'main';
  return {
    role: 'flow',
    name,
    displayName: name,
    actor: `flow:${name}`,
    sender: 'flow',
    bucket: 'flow',
    via: 'flow',
    expiresAt: () => Number.MAX_SAFE_INTEGER,
    valid: () => true,
  };
};
