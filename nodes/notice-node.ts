/** `gh-notice`: a notice to booths, screens or roles, on record and with receipts. */
import { roles } from '../runtime/contracts/contract.ts';
import type { NoticeInput, NoticeView } from '../runtime/contracts/duty.ts';
import { actOnInput, type Run } from './acting.ts';
import { serveEditor } from './editor-routes.ts';
import { NodeFailure } from './failures.ts';
import { gatewayOf } from './gateway.ts';
import { createLight } from './light.ts';
import type { FlowNode, Message, NodeDefinition, Red } from './red.ts';
import { isObject, priorityOf, textOf } from './shapes.ts';

const LONGEST_TEXT = 500;
const LONGEST_TITLE = 64;

const listOf = (value: unknown): string[] => {
  const items = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[\s,，、;；]+/) : [];
  return [...new Set(items.filter((item): item is string => typeof item === 'string' && item !== ''))];
};

function addresseesOf(to: Readonly<Record<string, unknown>>): NoticeInput['to'] {
  const named = listOf(to.roles);
  const known = roles.filter((role) => named.includes(role));
  if (known.length < named.length) {
    const unknown = named.filter((name) => !(roles as readonly string[]).includes(name)).join(', ');
    throw new NodeFailure('GH_BAD_INPUT', 'noRole', { name: unknown, known: roles.join(', ') });
  }
  const [booths, screens] = [listOf(to.booths), listOf(to.screens)];
  return {
    ...(known.length === 0 ? {} : { roles: known }),
    ...(booths.length === 0 ? {} : { booths }),
    ...(screens.length === 0 ? {} : { screens }),
  };
}

/**
 * The message's words win, then the form's: `true`, `"text"`, `{ text, title, priority, to: { roles, booths, screens } }`.
 * @throws NodeFailure GH_BAD_INPUT
 */
export function readNotice(message: Message, definition: NodeDefinition): Omit<NoticeInput, 'cause'> {
  const { payload } = message;
  const given = isObject(payload) ? payload : {};
  if (payload === false) throw new NodeFailure('GH_BAD_INPUT', 'noText');
  const text = textOf(given.text) ?? textOf(payload) ?? textOf(definition.text);
  if (text === undefined) throw new NodeFailure('GH_BAD_INPUT', 'noText');
  if (text.length > LONGEST_TEXT) throw new NodeFailure('GH_BAD_INPUT', 'longText', { limit: String(LONGEST_TEXT) });
  const title = (textOf(given.title) ?? textOf(definition.title))?.slice(0, LONGEST_TITLE);
  const form = { roles: definition.roles, booths: definition.booths, screens: definition.screens };
  const to = addresseesOf(isObject(given.to) ? given.to : form);
  const until = given.until ?? minutesFromNow(definition.minutes);
  return {
    text,
    priority: priorityOf(given.priority) ?? priorityOf(definition.priority) ?? 4,
    ...(title === undefined ? {} : { title }),
    ...(to && Object.keys(to).length > 0 ? { to } : {}),
    ...(typeof until === 'number' && Number.isFinite(until) ? { until: Math.round(until) } : {}),
  };
}

const minutesFromNow = (minutes: unknown): number | undefined =>
  Number(minutes) > 0 ? Date.now() + Number(minutes) * 60_000 : undefined;

/** What leaves: strict, whatever shape the request had. */
const sentOf = ({ id, title, text, priority, to, at, until }: NoticeView) => ({
  ...{ id, text, priority, to, at },
  ...(title === undefined ? {} : { title }),
  ...(until === undefined ? {} : { until }),
});

export function registerNotice(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-notice', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const run: Run = async (message, actingFor) => {
      const notice = readNotice(message, definition);
      return [{ ...message, payload: sentOf(await gateway.notice(notice, actingFor('notice'))) }];
    };
    const end = actOnInput({ red, node: this, light, run });
    this.on('close', () => {
      end();
      light.close();
    });
  });
}
