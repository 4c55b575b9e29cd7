/** `gh-workorder` 工单: creates a work order from an alarm or any message; people assign and finish it. */
import type { WorkOrderInput, WorkOrderView } from '../runtime/contracts/duty.ts';
import { scenarioOf } from '../runtime/contracts/index.ts';
import { actOnInput, type Run } from './acting.ts';
import { serveEditor } from './editor-routes.ts';
import { NodeFailure } from './failures.ts';
import { gatewayOf } from './gateway.ts';
import { createLight } from './light.ts';
import { originOf } from './message.ts';
import type { FlowNode, Message, NodeDefinition, Red } from './red.ts';
import { isObject, priorityOf, textOf } from './shapes.ts';

const LONGEST_TITLE = 64;
const LONGEST_TEXT = 500;
const MINUTE_MS = 60_000;

/** What an alarm says of itself: its contract's words in the language of the site's people, and its id. */
function ofAlarm({ gh, payload }: Message): { title?: string; alarm?: string; priority?: number; raised?: boolean } {
  if (!isObject(gh) || gh.kind !== 'alarm' || !isObject(payload)) return {};
  const words = scenarioOf(String(payload.scenario))?.alarms[String(gh.name)]?.words.zh;
  const alarm = textOf(payload.alarm) ?? textOf(payload.id);
  const priority = priorityOf(payload.priority);
  return {
    ...(words === undefined ? {} : { title: `${words} ${String(gh.device)}` }),
    ...(alarm === undefined ? {} : { alarm }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/**
 * The message's words win, then the form's, then the alarm's: `true`, `"title"`, `{ title, text, device, dueMinutes, … }`.
 * @throws NodeFailure GH_BAD_INPUT
 */
export function readWorkOrder(message: Message, definition: NodeDefinition): Omit<WorkOrderInput, 'cause'> {
  const { payload } = message;
  if (payload === false) throw new NodeFailure('GH_BAD_INPUT', 'noTitle');
  const alarm = ofAlarm(message);
  // The fields of an alarm record are the alarm's own, not an order somebody wrote.
  const given = isObject(payload) && alarm.alarm === undefined ? payload : {};
  const title = textOf(given.title) ?? textOf(payload) ?? textOf(definition.title) ?? alarm.title;
  if (title === undefined) throw new NodeFailure('GH_BAD_INPUT', 'noTitle');
  const field = (name: 'text' | 'assignee' | 'zone') => textOf(given[name]) ?? textOf(definition[name]);
  const device = textOf(given.device) ?? textOf(definition.device) ?? originOf(message).device;
  const minutes = Number(given.dueMinutes ?? definition.dueMinutes);
  const due = typeof given.due === 'number' ? given.due : minutes > 0 ? Date.now() + minutes * MINUTE_MS : undefined;
  const about = textOf(given.alarm) ?? alarm.alarm;
  const [text, assignee, zone] = [field('text')?.slice(0, LONGEST_TEXT), field('assignee'), field('zone')];
  return {
    title: title.slice(0, LONGEST_TITLE),
    priority: priorityOf(given.priority) ?? priorityOf(definition.priority) ?? alarm.priority ?? 3,
    ...(text === undefined ? {} : { text }),
    ...(device === undefined || device === '' ? {} : { device }),
    ...(zone === undefined ? {} : { zone }),
    ...(assignee === undefined ? {} : { assignee }),
    ...(about === undefined ? {} : { alarm: about }),
    ...(due === undefined ? {} : { due: Math.round(due) }),
  };
}

const orderOf = ({ id, title, state, priority, device, zone, alarm, assignee, due, createdAt }: WorkOrderView) => ({
  ...{ id, title, state, priority, createdAt },
  ...Object.fromEntries(
    Object.entries({ device, zone, alarm, assignee, due }).filter(([, value]) => value !== undefined),
  ),
});

export function registerWorkOrder(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-workorder', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const run: Run = async (message, actingFor) => {
      const order = readWorkOrder(message, definition);
      return [{ ...message, payload: orderOf(await gateway.workOrder(order, actingFor('workorder'))) }];
    };
    const end = actOnInput({ red, node: this, light, run });
    this.on('close', () => {
      end();
      light.close();
    });
  });
}
