/**
 * The pass from the gateway's login to the editor: `<payload>.<hmac>` in a header that only the core sets. It says who
 * and what for, and dies after a minute, so one that leaks into a log is worth nothing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Node-RED's words: everything, or look only. */
export type EditorPermissions = '*' | 'read';
export const EDITOR_HEADER = 'x-gatehouse-editor';
const LIFE_MS = 60_000;

const sign = (key: string, body: string): string => createHmac('sha256', key).update(body).digest('base64url');

export function signEditorToken(key: string, user: string, permissions: EditorPermissions, now: number): string {
  const body = Buffer.from(JSON.stringify([user, permissions, now + LIFE_MS])).toString('base64url');
  return `${body}.${sign(key, body)}`;
}

/** @returns null for a token that is forged, damaged or older than a minute. */
export function verifyEditorToken(
  key: string,
  token: string,
  now: number,
): { username: string; permissions: EditorPermissions } | null {
  const [body = '', given = ''] = token.split('.');
  const wanted = sign(key, body);
  if (given.length !== wanted.length || !timingSafeEqual(Buffer.from(given), Buffer.from(wanted))) return null;
  const [username, permissions, until] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [
    string,
    EditorPermissions,
    number,
  ];
  return until > now ? { username, permissions } : null;
}
