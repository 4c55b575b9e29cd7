/** `gh-alarm`: raises or clears an alarm of a device, as its contract defines it; the booth and platforms do the rest. */
import { actOnInput, type Run } from './acting.ts';
import { serveEditor } from './editor-routes.ts';
import { NodeFailure } from './failures.ts';
import { gatewayOf } from './gateway.ts';
import { createLight } from './light.ts';
import en from './locales/en-US.json' with { type: 'json' };
import zh from './locales/zh-CN.json' with { type: 'json' };
import { originOf } from './message.ts';
import type { FlowNode, Message, NodeDefinition, Red } from './red.ts';
import { isObject, textOf } from './shapes.ts';

export interface AlarmOrder {
  readonly action: 'raise' | 'clear';
  readonly device: string;
  readonly kind: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

function actionOf(value: unknown): AlarmOrder['action'] | undefined {
  if (typeof value === 'boolean') return value ? 'raise' : 'clear';
  if (typeof value !== 'string') return undefined;
  const wanted = value.trim().toLowerCase();
  return (['raise', 'clear'] as const).find((action) =>
    [action, zh.action[action], en.action[action].toLowerCase()].includes(wanted),
  );
}

/**
 * The form decides, or leaves it to the message: `true`, `"raise"`, `{action, device, kind, data}`; `false`, `"clear"`.
 * Without a device in form and message, the one the message is about is meant.
 * @throws NodeFailure GH_BAD_INPUT
 */
export function readAlarm(message: Message, definition: NodeDefinition): AlarmOrder {
  const payload = isObject(message.payload) ? message.payload : undefined;
  const fixed = definition.action === 'raise' || definition.action === 'clear' ? definition.action : undefined;
  const action = fixed ?? actionOf(payload ? payload.action : message.payload);
  if (!action) throw new NodeFailure('GH_BAD_INPUT', 'noAction');
  const device = textOf(payload?.device) ?? textOf(definition.device) ?? originOf(message).device;
  if (device === undefined) throw new NodeFailure('GH_BAD_INPUT', 'noDevice');
  const kind = textOf(payload?.kind) ?? textOf(definition.alarm);
  if (kind === undefined) throw new NodeFailure('GH_BAD_INPUT', 'noAlarm');
  return { action, device, kind, ...(isObject(payload?.data) ? { data: payload.data } : {}) };
}

export function registerAlarm(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-alarm', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const run: Run = async (message, actingFor) => {
      const { action, device, kind, data } = readAlarm(message, definition);
      const acting = actingFor(`${action}.${device}.${kind}`);
      const alarm =
        action === 'raise'
          ? await gateway.raise({ device, kind, ...(data === undefined ? {} : { data }) }, acting)
          : await gateway.clear({ device, kind }, acting);
      return [{ ...message, payload: alarm ?? { device, kind, action } }];
    };
    const end = actOnInput({ red, node: this, light, run });
    this.on('close', () => {
      end();
      light.close();
    });
  });
}
