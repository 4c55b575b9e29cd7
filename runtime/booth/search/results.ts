import { signal } from '@preact/signals';
import type { RecordsPage } from '../../contracts/api.ts';
import { formatPosition, type JournalRecord } from '../../contracts/record.ts';
import { get } from '../api.ts';
import { gatewayNow, siteZone } from '../clock.ts';
import { devices } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { midnightIn } from '../words/time.ts';
import { firstSearch, isRow, queryOf, relaxed, type Search } from './query.ts';

export const search = signal<Search>(firstSearch);
export const rows = signal<readonly JournalRecord[]>([]);
export const state = signal<'idle' | 'loading' | 'shown' | 'failed'>('idle');
export const trouble = signal('');
/** The filter that hides the most, when nothing was found. */
export const culprit = signal<'plate' | 'zone' | 'range' | undefined>(undefined);
export const chosen = signal<JournalRecord | undefined>(undefined);
/** Where each page before this one began; the last entry is this page. */
const trail = signal<readonly string[]>(['']);
const further = signal<string | undefined>(undefined);

export const pageNumber = () => trail.value.length;
export const hasOlder = () => further.value !== undefined;
export const hasNewer = () => trail.value.length > 1;

const PER_PAGE = 50;
const FETCH = 200;
/** Filters the API does not have are applied here; so many requests at most for one page. */
const FETCHES = 8;

export const exportPath = (of: Search): string =>
  `/api/v1/records/export?format=csv&${queryOf(of, midnight(), gatewayNow())}`;

const midnight = (): number => midnightIn(siteZone.value, gatewayNow());
const zoneOf = (device: string): string | undefined => devices.peek().get(device)?.zone;

export function searchFor(next: Search): void {
  search.value = next;
  trail.value = [''];
  chosen.value = undefined;
  void load();
}

export function older(): void {
  if (further.value === undefined) return;
  trail.value = [...trail.value, further.value];
  void load();
}

export function newer(): void {
  if (trail.value.length < 2) return;
  trail.value = trail.value.slice(0, -1);
  void load();
}

async function load(): Promise<void> {
  const asked = search.peek();
  const before = trail.peek().at(-1) ?? '';
  state.value = 'loading';
  culprit.value = undefined;
  try {
    const found = await collect(asked, before, PER_PAGE);
    // Another search was begun meanwhile: its answer counts.
    if (search.peek() !== asked || (trail.peek().at(-1) ?? '') !== before) return;
    rows.value = found.rows;
    further.value = found.further;
    state.value = 'shown';
    if (found.rows.length === 0 && before === '') void findCulprit(asked);
  } catch (error) {
    trouble.value = failureWords(error);
    state.value = 'failed';
  }
}

async function collect(
  asked: Search,
  from: string,
  want: number,
): Promise<{ rows: JournalRecord[]; further?: string }> {
  const found: JournalRecord[] = [];
  let before = from;
  for (let fetched = 0; fetched < FETCHES; fetched += 1) {
    const query = queryOf(asked, midnight(), gatewayNow());
    query.set('order', 'desc');
    query.set('limit', String(FETCH));
    if (before !== '') query.set('before', before);
    const page = await get<RecordsPage>(`/records?${query}`);
    for (const record of page.items) {
      if (!isRow(asked, record, zoneOf)) continue;
      if (found.length === want) return { rows: found, further: formatPosition(found.at(-1) ?? record) };
      found.push(record);
    }
    if (page.next === undefined || page.items.length === 0) return { rows: found };
    before = page.next;
  }
  return { rows: found, further: before };
}

async function findCulprit(asked: Search): Promise<void> {
  for (const { filter, search: wider } of relaxed(asked)) {
    const found = await collect(wider, '', 1).catch(() => undefined);
    if (search.peek() !== asked) return;
    if (found && found.rows.length > 0) {
      culprit.value = filter;
      return;
    }
  }
}
