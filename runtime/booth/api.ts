import type { Static } from 'typebox';
import type { problem } from '../contracts/api.ts';
import type { Words } from '../contracts/words.ts';

/** What the gateway answered instead of doing it: `code` is `area.reason` of its catalogue. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  /** Why, in the words of a contract, where the gateway has them. */
  readonly words: Words | undefined;

  constructor({
    code,
    status,
    detail,
    words,
  }: { code: string; status: number; detail: string; words?: Words | undefined }) {
    super(`${code}: ${detail}`);
    this.words = words;
    this.name = 'Refusal';
    this.code = code;
    this.status = status;
    this.detail = detail;
  }
}

const ANSWER_WITHIN_MS = 8000;
const BASE = '/api/v1';

export interface CallOptions {
  readonly key?: string;
  /** A leader's, spent with this call. */
  readonly approval?: string;
  readonly signal?: AbortSignal;
}

/**
 * One call of the gateway's API.
 * @throws {Refusal} for a problem answer; anything else thrown means: no answer, the outcome is unknown.
 */
export async function call<T>(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET') headers['x-gatehouse'] = '1';
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (options.key !== undefined) headers['idempotency-key'] = options.key;
  if (options.approval !== undefined) headers['x-gatehouse-approval'] = options.approval;
  const response = await fetch(BASE + path, {
    method,
    headers,
    credentials: 'same-origin',
    signal: options.signal ?? AbortSignal.timeout(ANSWER_WITHIN_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw await refusalOf(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export const get = <T>(path: string, options?: CallOptions): Promise<T> => call<T>('GET', path, undefined, options);

/** The event stream from `after` on; ends when the signal is aborted or the line breaks. */
export async function openStream(after: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await fetch(`${BASE}/stream?after=${encodeURIComponent(after)}`, {
    headers: { accept: 'text/event-stream' },
    credentials: 'same-origin',
    signal,
  });
  if (!response.ok || !response.body) throw await refusalOf(response);
  return response.body;
}

async function refusalOf(response: Response): Promise<Refusal> {
  const { code, detail, title, words } = await readProblem(response);
  return new Refusal({
    code: code ?? `http.${response.status}`,
    status: response.status,
    detail: detail ?? title ?? '',
    words,
  });
}

type Problem = Partial<Static<typeof problem>> & { readonly words?: Words };

/** A proxy or a gateway that is just starting answers with something else than a problem document. */
async function readProblem(response: Response): Promise<Problem> {
  const text = await response.text();
  return text.startsWith('{') ? (JSON.parse(text) as Problem) : {};
}
