/**
 * YAML of a site file as plain values with the place of every one of them. Only plain YAML 1.2: no references, no tags, no
 * second document, no key twice, nothing deep; so no file can grow in memory beyond its own size.
 */
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  type YAMLMap,
} from 'yaml';
import { shown } from './problem.ts';
import type { siteFileWords } from './site-file.words.ts';

export type FileWhat = keyof typeof siteFileWords;
export type Path = readonly (string | number)[];

/** `offset` counts characters from the beginning of the text. */
export interface FileFinding {
  readonly what: FileWhat;
  readonly offset: number;
  readonly path: Path;
  readonly fill: Readonly<Record<string, string>>;
}
export interface SiteYaml {
  /** Plain objects, lists, texts, numbers, booleans; keys without a value are left out. Undefined for an empty file. */
  readonly value: unknown;
  readonly findings: readonly FileFinding[];
  /** Line and column, from 1, of the key at `path` (`at: 'key'`) or its value; of the nearest thing around it if absent. */
  place(path: Path, at: 'key' | 'value'): { line: number; column: number };
  placeOf(offset: number): { line: number; column: number };
}

const MAX_DEPTH = 20;
/** A file that is not YAML at all need not be read to its end. */
const MAX_BROKEN = 20;
const MAX_FOUND = 1000;

const WORDS: Readonly<Record<string, FileWhat>> = {
  TAB_AS_INDENT: 'tab',
  MISSING_CHAR: 'quote',
  BAD_INDENT: 'quote',
  BLOCK_AS_IMPLICIT_KEY: 'indent',
  MULTILINE_IMPLICIT_KEY: 'indent',
  BLOCK_IN_FLOW: 'indent',
  UNEXPECTED_TOKEN: 'indent',
  MULTIPLE_DOCS: 'documents',
  BAD_SCALAR_START: 'reserved',
  NON_STRING_KEY: 'keyNotText',
  RESOURCE_EXHAUSTION: 'tooDeep',
};

/** @param isText whether the schema wants text at a path: `0012` there is text and not the number 12 */
export function readYaml(text: string, isText: (path: Path) => boolean): SiteYaml {
  const lines = new LineCounter();
  const found: FileFinding[] = [];
  const tell = (what: FileWhat, offset: number, path: Path = [], fill: FileFinding['fill'] = {}): undefined => {
    if (found.length < MAX_FOUND) found.push({ what, offset, path, fill });
  };
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };

  const root = compose(text, lines, tell);
  const value = found.length > 0 || !root ? undefined : plain(root, []);

  function plain(node: Node, path: Path): unknown {
    const start = node.range?.[0] ?? 0;
    if (isAlias(node)) return tell('reference', start, path);
    if (node.tag && !/^tag:yaml\.org,2002:(map|seq)$/.test(node.tag)) {
      return tell('tag', start, path, { tag: shown(node.tag) });
    }
    if (path.length > MAX_DEPTH) return tell('tooDeep', start, path, { limit: `${MAX_DEPTH}` });
    if (isScalar(node)) {
      return node.source !== undefined && typeof node.value !== 'string' && node.value !== null && isText(path)
        ? node.source
        : node.value;
    }
    if (isSeq(node)) return node.items.map((item, index) => plain(item as Node, [...path, index]));
    return isMap(node) ? plainMap(node, path) : undefined;
  }

  function plainMap(map: YAMLMap, path: Path): Record<string, unknown> {
    const firsts = new Map<string, number>();
    const entries: [string, unknown][] = [];
    for (const { key, value: below } of map.items) {
      const offset = (key as Node | null)?.range?.[0] ?? map.range?.[0] ?? 0;
      if (!isScalar(key) || key.tag) {
        tell(isAlias(key) ? 'reference' : 'keyNotText', offset, path);
        continue;
      }
      const name = key.source ?? String(key.value);
      const at = [...path, name];
      const first = firsts.get(name);
      if (first !== undefined) {
        tell('duplicateKey', offset, at, { key: shown(name), line: `${placeOf(first).line}` });
        continue;
      }
      firsts.set(name, offset);
      if (name === '<<') tell('reference', offset, at);
      const item = below ? plain(below as Node, at) : null;
      if (item !== null && item !== undefined) entries.push([name, item]);
    }
    return Object.fromEntries(entries);
  }

  return {
    value,
    findings: found,
    placeOf,
    place(path, at) {
      let node: Node | null = root ?? null;
      let offset = node?.range?.[0] ?? 0;
      for (const [index, step] of path.entries()) {
        const last = index === path.length - 1;
        if (isMap(node)) {
          const pair = node.items.find(({ key }) => isScalar(key) && (key.source ?? String(key.value)) === step);
          if (!pair) break;
          const [key, below] = [pair.key as Node, pair.value as Node | null];
          offset = (last && at === 'key' ? key : (below ?? key)).range?.[0] ?? offset;
          node = below;
        } else if (isSeq(node)) {
          node = (node.items[Number(step)] as Node | undefined) ?? null;
          offset = node?.range?.[0] ?? offset;
        } else break;
      }
      return placeOf(offset);
    },
  };
}

function compose(
  text: string,
  lines: LineCounter,
  tell: (what: FileWhat, offset: number, path?: Path, fill?: FileFinding['fill']) => void,
): Node | undefined {
  const composer = new Composer({ schema: 'core', uniqueKeys: false, prettyErrors: false, logLevel: 'silent' });
  const documents: Document.Parsed[] = [];
  let broken = 0;
  try {
    const parser = new Parser(lines.addNewLine);
    for (const token of parser.parse(text)) {
      if ((token.type === 'error' && ++broken > MAX_BROKEN) || documents.length > 1) break;
      documents.push(...(composer.next(token) as Iterable<Document.Parsed>));
    }
    documents.push(...(composer.end(true, text.length) as Iterable<Document.Parsed>));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the call stack is full: brackets in brackets in brackets
    tell('tooDeep', 0, [], { limit: `${MAX_DEPTH}` });
    return undefined;
  }
  const [first, second] = documents;
  // Only the first: the others are mostly what the parser made of the rest after it.
  const error = first?.errors.toSorted((a, b) => a.pos[0] - b.pos[0])[0];
  if (error)
    tell(WORDS[error.code] ?? 'syntax', error.pos[0], [], { detail: shown(error.message), limit: `${MAX_DEPTH}` });
  else if (second) tell('documents', second.range[0]);
  return first?.contents ?? undefined;
}
