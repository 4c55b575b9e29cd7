/** Server-sent events as the gateway writes them: `id`, `event` and one `data` line, an empty line after each. Pure. */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** An event larger than this is not ours. */
const LONGEST = 2 * 1024 * 1024;

/** Feeds chunks in, gets whole events out. @throws Error when no event ends within two megabytes */
export function readEvents(onEvent: (event: ServerEvent) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    rest += chunk;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const block = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const fields = new Map<string, string>();
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        if (colon <= 0) continue; // a comment keeps the line open
        const name = line.slice(0, colon);
        const value = line.slice(colon + 1).replace(/^ /, '');
        fields.set(name, fields.has(name) ? `${fields.get(name)}\n${value}` : value);
      }
      const id = fields.get('id');
      if (fields.size > 0) {
        onEvent({
          event: fields.get('event') ?? 'message',
          data: fields.get('data') ?? '',
          ...(id === undefined ? {} : { id }),
        });
      }
    }
    if (rest.length > LONGEST) throw new Error('event without end');
  };
}
