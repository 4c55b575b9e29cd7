/** Accounts of people and tokens of platforms: tables, look-ups and the writes that change them. No policy. */
import { createHash } from 'node:crypto';
import type { Role } from '../contracts/contract.ts';
import type { ReadOnlyDatabase, Write } from '../journal/journal.ts';

export const usersSchema = `
CREATE TABLE IF NOT EXISTS account (
  name TEXT PRIMARY KEY,
  display_name TEXT NOT NULL,
  role TEXT NOT NULL,
  password TEXT,
  pin TEXT,
  disabled INTEGER NOT NULL,
  demo INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS login_session (
  hash TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  method TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  left_ms INTEGER NOT NULL,
  saved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS platform_token (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  platform TEXT NOT NULL,
  demo INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  scope TEXT
) STRICT, WITHOUT ROWID;
`;

export interface Account {
  readonly name: string;
  readonly displayName: string;
  readonly role: Role;
  /** Hashes of passwords.ts; absent: cannot log in this way. */
  readonly password?: string;
  readonly pin?: string;
  readonly disabled: boolean;
  readonly demo: boolean;
  readonly createdAt: number;
}

export interface Token {
  readonly id: string;
  readonly hash: string;
  readonly platform: string;
  readonly demo: boolean;
  readonly createdAt: number;
  /** ms UTC */
  readonly expiresAt: number;
  readonly scope: TokenScope;
}

/** Whose rights a token has: a platform's, or those of a Node-RED that runs elsewhere with our nodes. */
export const tokenScopes = ['platform', 'flow'] as const;
export type TokenScope = (typeof tokenScopes)[number];

export type LoginMethod = 'password' | 'pin';

export interface StoredSession {
  readonly hash: string;
  readonly account: string;
  readonly method: LoginMethod;
  readonly createdAt: number;
  /** What remained of the absolute life when it was last saved, and when that was by the wall clock. */
  readonly leftMs: number;
  readonly savedAt: number;
}

/** Session ids and tokens are random and long: a plain hash is enough to make a stolen table useless. */
export const secretHash = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

interface AccountRow {
  name: string;
  display_name: string;
  role: string;
  password: string | null;
  pin: string | null;
  disabled: number;
  demo: number;
  created_at: number;
}

export function readAccounts(db: ReadOnlyDatabase): Account[] {
  return db
    .prepare<[], AccountRow>('SELECT * FROM account ORDER BY name')
    .all()
    .map((row) => ({
      name: row.name,
      displayName: row.display_name,
      role: row.role as Role,
      ...(row.password === null ? {} : { password: row.password }),
      ...(row.pin === null ? {} : { pin: row.pin }),
      disabled: row.disabled === 1,
      demo: row.demo === 1,
      createdAt: row.created_at,
    }));
}

export function readTokens(db: ReadOnlyDatabase): Token[] {
  return db
    .prepare<[], Omit<Token, 'demo' | 'scope'> & { demo: number; scope: string | null }>(
      `SELECT id, hash, platform, demo, created_at AS createdAt, expires_at AS expiresAt, scope
       FROM platform_token ORDER BY created_at`,
    )
    .all()
    .map((row) => ({ ...row, demo: row.demo === 1, scope: row.scope === 'flow' ? 'flow' : 'platform' }));
}

export const readSessions = (db: ReadOnlyDatabase): StoredSession[] =>
  db
    .prepare<[], StoredSession>(
      `SELECT hash, account, method, created_at AS createdAt, left_ms AS leftMs, saved_at AS savedAt
       FROM login_session ORDER BY created_at`,
    )
    .all();

export const putAccount = (account: Account): Write => ({
  sql: `INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET display_name = excluded.display_name, role = excluded.role,
    password = excluded.password, pin = excluded.pin, disabled = excluded.disabled, demo = excluded.demo`,
  params: [
    account.name,
    account.displayName,
    account.role,
    account.password ?? null,
    account.pin ?? null,
    account.disabled ? 1 : 0,
    account.demo ? 1 : 0,
    account.createdAt,
  ],
});

export const dropAccount = (name: string): Write => ({ sql: 'DELETE FROM account WHERE name = ?', params: [name] });

export const putSession = (session: StoredSession): Write => ({
  sql: `INSERT INTO login_session VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET left_ms = excluded.left_ms, saved_at = excluded.saved_at`,
  params: [session.hash, session.account, session.method, session.createdAt, session.leftMs, session.savedAt],
});

export const dropSession = (hash: string): Write => ({
  sql: 'DELETE FROM login_session WHERE hash = ?',
  params: [hash],
});

export const putToken = (token: Token): Write => ({
  sql: `INSERT INTO platform_token VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at`,
  params: [token.id, token.hash, token.platform, token.demo ? 1 : 0, token.createdAt, token.expiresAt, token.scope],
});

export const dropToken = (id: string): Write => ({ sql: 'DELETE FROM platform_token WHERE id = ?', params: [id] });
