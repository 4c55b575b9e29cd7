import type { TSchema } from 'typebox';

/** What a person reads, in both languages. Chinese comes first on every screen. */
export interface Words {
  readonly zh: string;
  readonly en: string;
}

/** Description in both languages for a schema; `unit` is a UCUM code. */
export const says = (
  en: string,
  zh: string,
  unit?: string,
): { description: string; 'x-zh': string; 'x-unit'?: string } =>
  unit === undefined ? { description: en, 'x-zh': zh } : { description: en, 'x-zh': zh, 'x-unit': unit };

/** Marks personal data: masked by role, kept out of logs, subject to retention rules. */
export const personal = <T extends TSchema>(schema: T): T => Object.assign(schema, { 'x-personal': true });
