import { Refusal } from '../api.ts';
import { t, word } from './words.ts';

/** What a person reads when something was refused: cause and next step; the gateway's own words if we have none. */
export const refusalWords = (code: string, detail = ''): string => word(`error.${code}`, detail || code);

/** The same for anything thrown by a call: without an answer the outcome is not known. */
export const failureWords = (error: unknown): string =>
  error instanceof Refusal ? refusalWords(error.code, error.detail) : t('error.no_answer');
