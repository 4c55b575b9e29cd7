/**
 * `gh-access`: may this plate or credential pass here now? Output 1 allowed, output 2 refused; both carry the decision as
 * `msg.access`. What leaves output 1 can be wired straight into a gate: it is the order to open the gate that was decided.
 */
import type { AccessDecision, AccessQuestion } from '../runtime/contracts/api.ts';
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

/** Why the node itself says no, before anybody is asked. */
export type OwnRefusal = keyof typeof zh.refusal;
type Refused = Omit<AccessDecision, 'allow' | 'reason'> & { allow: false; reason: OwnRefusal };
type Decision = AccessDecision | Refused;

/** A camera also reads plates of cars that stand, leave, or came long ago: those never open anything. */
const NOT_ARRIVING: readonly unknown[] = ['stay', 'stay-end', 'turned-back'];

/**
 * @param quality of the record: `stale` came much later than this device's messages usually do
 * @returns why this reading is nobody asking to pass, or undefined
 */
export function refusalOf(payload: Readonly<Record<string, unknown>>, quality?: unknown): OwnRefusal | undefined {
  if (payload.stored === true || quality === 'stale') return 'stored';
  return NOT_ARRIVING.includes(payload.trigger) ? 'not-arriving' : undefined;
}

/**
 * @param gate of the node's form; a message that names one wins, then the form, then the device that read the plate
 * @throws NodeFailure GH_BAD_INPUT. A passage or decision also holds a plate, but asking with it would open for nobody.
 */
export function readQuestion(message: Message, gate: string | undefined) {
  const { device } = originOf(message);
  const gh = isObject(message.gh) ? message.gh : undefined;
  if (gh && !(gh.kind === 'event' && typeof gh.name === 'string' && gh.name.endsWith('.read'))) {
    throw new NodeFailure('GH_BAD_INPUT', 'notARead', { name: `${gh.kind}:${gh.name}` });
  }
  const payload = typeof message.payload === 'string' ? { plate: message.payload } : message.payload;
  if (!isObject(payload)) throw new NodeFailure('GH_BAD_INPUT', 'noCredential');
  const where = textOf(payload.gate) ?? gate ?? device;
  if (where === undefined) throw new NodeFailure('GH_BAD_INPUT', 'noGate');
  const plate = textOf(payload.plate);
  const { credential } = payload;
  const card =
    isObject(credential) && textOf(credential.kind) !== undefined && textOf(credential.value) !== undefined
      ? { kind: String(credential.kind), value: String(credential.value) }
      : undefined;
  // A reading without a plate is a question too: the answer is "unread", and the guard sees it.
  if (!gh && plate === undefined && card === undefined) throw new NodeFailure('GH_BAD_INPUT', 'noCredential');
  const question: Omit<AccessQuestion, 'cause'> = {
    gate: where,
    ...(plate === undefined ? {} : { plate }),
    ...(card === undefined ? {} : { credential: card }),
  };
  return { question, own: refusalOf(payload, gh?.quality) };
}

const refuse = (question: Omit<AccessQuestion, 'cause'>, reason: OwnRefusal): Refused => ({
  allow: false,
  reason,
  gate: question.gate,
  explanation: { zh: zh.refusal[reason], en: en.refusal[reason] },
  ...(question.plate === undefined ? {} : { plate: question.plate }),
});

/** @returns the two outputs */
export function outputsOf(message: Message, access: Decision): [Message | null, Message | null] {
  if (access.allow) return [{ ...message, access, payload: { command: 'open', device: access.gate } }, null];
  const { allow, reason, gate, plate } = access;
  return [null, { ...message, access, payload: { allow, reason, gate, ...(plate === undefined ? {} : { plate }) } }];
}

export function registerAccess(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-access', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const gate = textOf(definition.gate);
    const run: Run = async (message, actingFor) => {
      const { question, own } = readQuestion(message, gate);
      return outputsOf(message, own ? refuse(question, own) : await gateway.access(question, actingFor('access')));
    };
    const end = actOnInput({ red, node: this, light, run });
    this.on('close', () => {
      end();
      light.close();
    });
  });
}
