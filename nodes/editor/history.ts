/** The deploy history in the editor: a note beside the deploy button, and a side bar with what ran, what differs, the way back. */
import { words } from './history.words.ts';
import { wordOf } from './red.ts';

interface Version {
  readonly id: number;
  readonly at: number;
  readonly author: string;
  readonly note: string;
  readonly origin: keyof typeof words.origin;
  readonly current: boolean;
  readonly tabs: readonly { readonly label: string }[];
}
interface Detail extends Version {
  readonly changes: readonly {
    readonly change: keyof typeof words.change;
    readonly type: string;
    readonly label: string;
    readonly tab?: { readonly label: string };
    readonly fields?: readonly { readonly field: string; readonly before?: string; readonly after?: string }[];
  }[];
}
interface Side {
  addTab(tab: object): void;
}

const VERSIONS = '/api/v1/flows/versions';
const NOTE = 'gh-deploy-note';
const TAB = 'gh-history';
/** Below the 15 minutes after which an idle session ends: an editor that is open is in use, as long as maintenance lasts. */
const PRESENT_EVERY_MS = 240_000;
const RELOAD_MS = 1500;

const line = (text: string): JQuery => $('<div>').text(text);

function showChanges(into: JQuery, { changes }: Detail): void {
  into.empty();
  if (changes.length === 0) into.append(line(wordOf(words.same)));
  for (const { change, type, label, tab, fields = [] } of changes) {
    const where = tab && tab.label !== label ? `${tab.label} / ` : '';
    const entry = line(`${wordOf(words.change[change])} ${where}${label} (${type})`);
    for (const { field, before, after } of fields) {
      entry.append(
        $('<pre>')
          .css({ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', margin: '2px 0 2px 12px' })
          .text(`${field}\n- ${before ?? ''}\n+ ${after ?? ''}`),
      );
    }
    into.append(entry);
  }
}

function restore(id: number): void {
  $.ajax({ url: `${VERSIONS}/${id}/restore`, type: 'POST', contentType: 'application/json', data: '{}' }).then(
    () => {
      window.RED.notify(wordOf(words.restored), 'success');
      // The page has the flows it loaded; it must not ask whether to keep them.
      window.RED.nodes.dirty(false);
      setTimeout(() => window.location.reload(), RELOAD_MS);
    },
    (xhr: JQuery.jqXHR) => {
      window.RED.notify(wordOf(words.failed) + String(xhr.responseJSON?.detail ?? xhr.status), 'error');
    },
  );
}

function entryOf(version: Version): JQuery {
  const { id, at, author, note, origin, current, tabs } = version;
  const details = $('<div class="gh-version-changes">').css({ padding: '4px 0 4px 8px' });
  const head = $('<a href="#">').text(`#${id} ${new Date(at).toLocaleString()} ${wordOf(words.origin[origin])}`);
  head.on('click', (event) => {
    event.preventDefault();
    if (details.children().length > 0) details.empty();
    else void $.getJSON(`${VERSIONS}/${id}`).then((detail: Detail) => showChanges(details, detail));
  });
  const back = $('<button type="button" class="red-ui-button red-ui-button-small gh-restore">')
    .text(wordOf(words.restore))
    .on('click', () => restore(id));
  return $('<div class="gh-version">')
    .attr('data-version', id)
    .css({ padding: '8px', borderBottom: '1px solid var(--red-ui-secondary-border-color)' })
    .append(
      head,
      line(`${author}: ${note || wordOf(words.none)}`),
      line(tabs.map(({ label }) => label).join(', ')),
      current ? line(wordOf(words.current)).css({ fontWeight: 'bold' }) : back,
      details,
    );
}

function fill(list: JQuery): void {
  void $.getJSON(VERSIONS).then(({ items }: { items: Version[] }) => {
    list.empty().append(items.map(entryOf));
  });
}

/** Adds both to the editor, and keeps the log-in alive while it is open. */
export function deployHistory(): void {
  const list = $('<div class="gh-versions">').css({ overflowY: 'auto', height: '100%' });
  const note = $(`<input type="text" id="${NOTE}" maxlength="256">`)
    .attr('placeholder', wordOf(words.note))
    .css({ width: '200px', margin: '8px 6px 0 0', height: '26px' });
  $('<li>').append(note).prependTo('.red-ui-header-toolbar');
  // Keys typed here are no short cuts of the editor.
  note.on('keydown', (event) => event.stopPropagation());
  $.ajaxPrefilter((options, _original, xhr) => {
    const deploys = options.url === 'flows' && options.type === 'POST';
    if (deploys) xhr.setRequestHeader('X-Gatehouse-Note', encodeURIComponent(String(note.val() ?? '').trim()));
    if (deploys) xhr.done(() => note.val('') && fill(list));
  });
  const sidebar = window.RED.sidebar as unknown as Side;
  sidebar.addTab({
    id: TAB,
    label: wordOf(words.title),
    name: wordOf(words.title),
    iconClass: 'fa fa-history',
    content: list,
    enableOnEdit: true,
    onchange: () => fill(list),
  });
  fill(list);
  setInterval(() => {
    if (document.visibilityState === 'visible') void fetch(`${window.RED.settings.apiRootUrl}gh/zones`);
  }, PRESENT_EVERY_MS);
}
