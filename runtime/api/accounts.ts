/**
 * Accounts and tokens as a whole: rules, changes with their audit record in one transaction, and the copy in memory that
 * every request is checked against.
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Role } from '../contracts/contract.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { auditDraft } from './audit.ts';
import { accountSubject, type Lockouts } from './lockout.ts';
import type { Sessions } from './login-sessions.ts';
import { checkPassword, checkPin, type Hasher } from './passwords.ts';
import {
  type Account,
  dropAccount,
  dropToken,
  putAccount,
  putToken,
  readAccounts,
  readTokens,
  secretHash,
  type Token,
  type TokenScope,
} from './users.ts';

export interface AccountInput {
  readonly name: string;
  readonly displayName: string;
  readonly role: Role;
  readonly password?: string;
  readonly pin?: string;
}
export interface AccountChange {
  readonly displayName?: string;
  readonly role?: Role;
  readonly password?: string;
  readonly pin?: string;
  readonly disabled?: boolean;
  /** Lifts the lock of failed log-ins. */
  readonly unlock?: boolean;
}

export interface DemoSecrets {
  readonly password: string;
  readonly pin: string;
  readonly token: string;
}

export interface Accounts {
  get(name: string): Account | undefined;
  list(): Account[];
  lockedMs(name: string): number;
  hasAdmin(): boolean;
  /** @throws GatehouseError `user.exists`, `user.invalid`, `auth.weak_password` */
  create(input: AccountInput, actor: string): Promise<Account>;
  /** @throws GatehouseError `auth.setup_closed` if there is one already; else as `create` */
  createFirstAdmin(input: { name: string; displayName: string; password: string }): Promise<Account>;
  /** Ends the account's sessions unless only its display name changes. @throws `user.*`, `auth.weak_password` */
  change(name: string, change: AccountChange, actor: string): Promise<Account>;
  /** @throws GatehouseError `user.not_found`, `user.last_admin` */
  remove(name: string, actor: string): Promise<void>;
  /** By hash of users.ts; expired ones are not found. */
  token(hash: string): Token | undefined;
  tokens(): Token[];
  /** @returns the secret, which nobody will see again. */
  createToken(
    input: { platform: string; days: number; scope?: TokenScope },
    actor: string,
  ): Promise<{ token: Token; secret: string }>;
  /** @throws GatehouseError `user.not_found` */
  dropToken(id: string, actor: string): Promise<void>;
  /**
   * The six demo accounts, with what is given or random secrets. Existing sessions go on: a crashed gateway that comes
   * back must not log the booth out. @throws GatehouseError `config.invalid` off loopback or outside demo mode
   */
  createDemo(given: Partial<DemoSecrets>): Promise<DemoSecrets>;
  retireDemo(): Promise<void>;
}

interface AccountsOptions {
  readonly journal: Pick<Journal, 'commit' | 'db'>;
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly sessions: Sessions;
  readonly lockouts: Lockouts;
  readonly mode: 'demo' | 'site';
  readonly loopbackOnly: boolean;
  readonly siteWords?: readonly string[];
}

const NAME = /^[a-z][a-z0-9._-]{1,31}$/;
/** Names everybody would guess first (A1), and the ones the demo keeps for itself. */
const REFUSED_NAMES = /^(admin|administrator|root|guest|test|user|operator|demo-.*)$/;
const PIN_ROLES: readonly Role[] = ['guard', 'shift-leader'];
const DAY_MS = 86_400_000;
const DEMO_TOKEN_DAYS = 365;

const demoAccounts: readonly { name: string; displayName: string; role: Role; pin: boolean }[] = [
  { name: 'demo-guard', displayName: '演示保安', role: 'guard', pin: true },
  { name: 'demo-leader', displayName: '演示队长', role: 'shift-leader', pin: true },
  { name: 'demo-installer', displayName: '演示安装员', role: 'installer', pin: false },
  { name: 'demo-auditor', displayName: '演示审计员', role: 'auditor', pin: false },
  { name: 'demo-admin', displayName: '演示管理员', role: 'admin', pin: false },
];
const DEMO_PLATFORM = 'demo-platform';

export function createAccounts(options: AccountsOptions): Accounts {
  const { journal, clock, hasher, sessions, lockouts } = options;
  const accounts = new Map(readAccounts(journal.db).map((account) => [account.name, account]));
  const tokens = new Map(readTokens(journal.db).map((token) => [token.hash, token]));
  /** Changes run one after the other, so that two of them cannot both leave the last administrator to the other. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(action: () => Promise<T>): Promise<T> => {
    const mine = last.then(action, action);
    last = mine.catch(() => {});
    return mine;
  };

  const admins = () => [...accounts.values()].filter(({ role, disabled }) => role === 'admin' && !disabled);
  const mustHave = (name: string): Account => {
    const account = accounts.get(name);
    if (!account) throw new GatehouseError('user.not_found', `No user ${name}`);
    return account;
  };
  const keepsAnAdmin = (without: Account) => {
    if (admins().every(({ name }) => name === without.name)) {
      throw new GatehouseError('user.last_admin', `${without.name} is the last administrator`);
    }
  };

  async function secretsOf(
    { name, displayName, role }: Pick<Account, 'name' | 'displayName' | 'role'>,
    given: { password?: string; pin?: string },
  ) {
    if (given.password !== undefined) {
      checkPassword(given.password, [name, displayName, ...(options.siteWords ?? [])]);
    }
    if (given.pin !== undefined) {
      if (!PIN_ROLES.includes(role)) throw new GatehouseError('user.invalid', `A ${role} logs in with a password`);
      checkPin(given.pin);
    }
    return {
      ...(given.password === undefined ? {} : { password: await hasher.hash(given.password) }),
      ...(given.pin === undefined ? {} : { pin: await hasher.hash(given.pin) }),
    };
  }

  async function insert(input: AccountInput, actor: string): Promise<Account> {
    if (!NAME.test(input.name) || REFUSED_NAMES.test(input.name)) {
      throw new GatehouseError(
        'user.invalid',
        `The name ${input.name} is not allowed: 2 to 32 of a-z 0-9 . _ -, no name everybody knows`,
      );
    }
    if (accounts.has(input.name)) throw new GatehouseError('user.exists', `The user ${input.name} exists`);
    if (input.password === undefined && input.pin === undefined) {
      throw new GatehouseError('user.invalid', 'Give a password or a PIN');
    }
    const { name, displayName, role } = input;
    const account: Account = {
      ...{ name, displayName, role },
      ...(await secretsOf(input, input)),
      disabled: false,
      demo: false,
      createdAt: clock.now(),
    };
    await journal.commit({
      records: [auditDraft('user.account.created', { user: name, role, displayName }, actor)],
      writes: [putAccount(account)],
    });
    accounts.set(name, account);
    return account;
  }

  const allowDemo = () => {
    if (options.mode === 'demo' && options.loopbackOnly) return;
    throw new GatehouseError('config.invalid', 'Demo accounts exist in demo mode with all listeners on loopback only');
  };

  return {
    get: (name) => accounts.get(name),
    list: () => [...accounts.values()],
    lockedMs: (name) => lockouts.locked(accountSubject(name)),
    hasAdmin: () => admins().length > 0,
    create: (input, actor) => inTurn(() => insert(input, actor)),
    createFirstAdmin: (input) =>
      inTurn(() => {
        if (admins().length > 0) throw new GatehouseError('auth.setup_closed', 'An administrator exists already');
        return insert({ ...input, role: 'admin' }, 'system:setup');
      }),
    change: (name, change, actor) =>
      inTurn(async () => {
        const before = mustHave(name);
        const { unlock, password, pin, ...plain } = change;
        const after: Account = { ...before, ...plain };
        if (before.role === 'admin' && (after.role !== 'admin' || after.disabled)) keepsAnAdmin(before);
        const { pin: oldPin, ...rest } = after;
        const keepsPin = oldPin !== undefined && PIN_ROLES.includes(after.role);
        const account: Account = {
          ...rest,
          ...(keepsPin ? { pin: oldPin } : {}),
          ...(await secretsOf(after, {
            ...(password === undefined ? {} : { password }),
            ...(pin === undefined ? {} : { pin }),
          })),
        };
        const changed = [...Object.keys(plain), ...['password', 'pin'].filter((key) => key in change)];
        const ended = changed.some((key) => key !== 'displayName') ? sessions.endAll(name) : [];
        await journal.commit({
          records: [
            auditDraft('user.account.updated', { user: name, changed, ...plain, ...(unlock ? { unlock } : {}) }, actor),
          ],
          writes: [putAccount(account), ...ended],
        });
        accounts.set(name, account);
        if (unlock) lockouts.lift(accountSubject(name));
        return account;
      }),
    remove: (name, actor) =>
      inTurn(async () => {
        const account = mustHave(name);
        if (account.role === 'admin' && !account.disabled) keepsAnAdmin(account);
        const ended = sessions.endAll(name);
        accounts.delete(name);
        await journal.commit({
          records: [auditDraft('user.account.removed', { user: name, role: account.role }, actor)],
          writes: [dropAccount(name), ...ended],
        });
      }),
    token(hash) {
      const token = tokens.get(hash);
      return token && token.expiresAt > clock.now() ? token : undefined;
    },
    tokens: () => [...tokens.values()],
    async createToken({ platform, days, scope = 'platform' }, actor) {
      const secret = `ghp_${randomBytes(32).toString('base64url')}`;
      const now = clock.now();
      const token: Token = {
        id: randomBytes(8).toString('hex'),
        hash: secretHash(secret),
        platform,
        demo: false,
        createdAt: now,
        expiresAt: now + days * DAY_MS,
        scope,
      };
      await journal.commit({
        records: [auditDraft('user.token.created', { token: token.id, platform, days, scope }, actor)],
        writes: [putToken(token)],
      });
      tokens.set(token.hash, token);
      return { token, secret };
    },
    async dropToken(id, actor) {
      const token = [...tokens.values()].find((entry) => entry.id === id);
      if (!token) throw new GatehouseError('user.not_found', `No token ${id}`);
      tokens.delete(token.hash);
      await journal.commit({
        records: [auditDraft('user.token.removed', { token: id, platform: token.platform }, actor)],
        writes: [dropToken(id)],
      });
    },
    createDemo: (given) =>
      inTurn(async () => {
        allowDemo();
        const secrets: DemoSecrets = {
          password: given.password ?? randomPassword(),
          pin: given.pin ?? randomPin(),
          token: given.token ?? `ghp_${randomBytes(24).toString('base64url')}`,
        };
        if (!/^\d{6}$/.test(secrets.pin)) throw new GatehouseError('config.invalid', 'The demo PIN has six digits');
        // One secret for all of them, so one hash: the start does not wait for six.
        const [password, pinHash] = [await hasher.hash(secrets.password), await hasher.hash(secrets.pin)];
        const now = clock.now();
        const made = demoAccounts.map(
          ({ pin, ...entry }): Account => ({
            ...entry,
            password,
            ...(pin ? { pin: pinHash } : {}),
            disabled: false,
            demo: true,
            createdAt: accounts.get(entry.name)?.createdAt ?? now,
          }),
        );
        const token: Token = {
          id: DEMO_PLATFORM,
          hash: secretHash(secrets.token),
          platform: DEMO_PLATFORM,
          demo: true,
          createdAt: now,
          expiresAt: now + DEMO_TOKEN_DAYS * DAY_MS,
          scope: 'platform',
        };
        await journal.commit({
          records: [auditDraft('user.demo.created', { users: made.map(({ name }) => name) }, 'system:demo')],
          writes: [...made.map(putAccount), putToken(token)],
        });
        for (const account of made) {
          accounts.set(account.name, account);
          lockouts.lift(accountSubject(account.name));
        }
        for (const old of tokens.values()) if (old.id === DEMO_PLATFORM) tokens.delete(old.hash);
        tokens.set(token.hash, token);
        return secrets;
      }),
    retireDemo: () =>
      inTurn(async () => {
        const old = [...accounts.values()].filter(({ demo }) => demo);
        const oldTokens = [...tokens.values()].filter(({ demo }) => demo);
        if (old.length + oldTokens.length === 0) return;
        for (const { name } of old) accounts.delete(name);
        for (const { hash } of oldTokens) tokens.delete(hash);
        await journal.commit({
          records: [auditDraft('user.demo.removed', { users: old.map(({ name }) => name) }, 'system:demo')],
          writes: [
            ...old.flatMap(({ name }) => [dropAccount(name), ...sessions.endAll(name)]),
            ...oldTokens.map(({ id }) => dropToken(id)),
          ],
        });
      }),
  };
}

/** 60 bits in four easily read groups. */
const randomPassword = (): string =>
  Array.from({ length: 3 }, () =>
    Array.from({ length: 4 }, () => 'abcdefghjkmnpqrstuvwxyz23456789'[randomInt(31)]).join(''),
  ).join('-');

function randomPin(): string {
  for (;;) {
    const pin = String(randomInt(1_000_000)).padStart(6, '0');
    try {
      checkPin(pin);
      return pin;
    } catch {
      // a run or repeats: draw again
    }
  }
}
