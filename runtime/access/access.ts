/**
 * Access decision 通行判定: who or which plate may pass which gate now, from the inventory alone, so it works with the line
 * to the outside cut. `gh-access` in flows and `POST /access` ask here.
 */
import type { Clock } from '../clock.ts';
import type { AccessDecision, AccessQuestion } from '../contracts/api.ts';
import type { Device, Inventory } from '../devices/inventory.ts';
import { isUnread, normalisePlate } from '../devices/plate.ts';
import { shown } from '../devices/problem.ts';
import { isInstant } from '../devices/site-time.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { admits, judge, type Moment, type Pass, type Reason } from './decide.ts';
import { explainReason } from './explain.ts';

export interface Access {
  /**
   * Decides and records nothing: for "could they pass, now or at `question.at`?".
   * @throws GatehouseError `access.gate_unknown`
   */
  decide(question: AccessQuestion): AccessDecision;
  /**
   * Decides for this moment by the gateway's clock, whatever time a device or caller gives, and records the decision as
   * `access.granted` or `vehicle.unrecognised` of the gate. Resolves with the record's id once it is durable.
   * @throws GatehouseError `access.gate_unknown`, `journal.*`
   */
  ask(question: AccessQuestion, actor: string): Promise<AccessDecision>;
}

interface Parts {
  readonly inventory: Inventory;
  readonly journal: Pick<Journal, 'append'>;
  readonly clock: Clock;
}
interface Finding {
  readonly reason: Reason;
  readonly pass?: Pass;
  readonly subject?: string;
  readonly person?: string;
}

/** The longest plate of the contract: what is longer is not recorded as one. */
const MAX_PLATE = 16;

export function createAccess({ inventory, journal, clock }: Parts): Access {
  function answer(question: AccessQuestion, at: number): AccessDecision {
    const gate = openerOf(inventory, question.gate);
    const path = inventory.zonePath(gate.zone);
    const moment = { at, timeZone: inventory.site().timeZone, zones: path.map(({ id }) => id) };
    const plate = question.plate === undefined ? '' : normalisePlate(question.plate);
    const finding = weigh(inventory, question, plate, moment);
    const zoneName = (zone: string) => inventory.zone(zone)?.name ?? zone;
    return {
      allow: admits(finding.reason),
      reason: finding.reason,
      gate: gate.id,
      explanation: explainReason(finding.reason, finding.pass, moment, zoneName),
      ...(isUnread(plate) || plate.length > MAX_PLATE ? {} : { plate }),
      ...(finding.subject === undefined ? {} : { subject: finding.subject }),
      ...(finding.person === undefined ? {} : { person: finding.person }),
    };
  }

  return {
    decide(question) {
      const { at } = question;
      return answer(question, at !== undefined && isInstant(at) ? at : clock.now());
    },
    async ask(question, actor) {
      const decision = answer(question, clock.now());
      const { allow, gate, reason, plate, subject } = decision;
      const [record] = await journal.append({
        lane: 'L1',
        kind: 'event',
        scenario: inventory.device(gate)?.scenario ?? '',
        device: gate,
        name: allow ? 'access.granted' : 'vehicle.unrecognised',
        data: {
          reason,
          ...(plate === undefined ? {} : { plate }),
          ...(allow && subject !== undefined ? { subject } : {}),
        },
        actor,
        ...(question.cause === undefined ? {} : { cause: question.cause }),
      });
      return record ? { ...decision, record: record.id } : decision;
    },
  };
}

/** Plate and credential are both looked at: a block on either wins, otherwise one that is good is enough. */
function weigh(inventory: Inventory, { credential }: AccessQuestion, plate: string, moment: Moment): Finding {
  const byPlate = isUnread(plate) ? undefined : weighPlate(inventory, plate, moment);
  const byCredential = credential && weighCredential(inventory, credential.kind, credential.value, moment);
  const both = [byPlate, byCredential].filter((finding) => finding !== undefined);
  return (
    both.find(({ reason }) => reason === 'blocked') ??
    both.find(({ reason }) => admits(reason)) ??
    both.find(({ reason }) => reason !== 'unknown') ??
    both[0] ?? { reason: 'unread' }
  );
}

function weighPlate(inventory: Inventory, plate: string, moment: Moment): Finding {
  const vehicle = inventory.vehicle(plate);
  if (!vehicle) return { reason: 'unknown' };
  return {
    reason: judge(vehicle, moment),
    pass: vehicle,
    subject: `vehicle:${vehicle.plate}`,
    ...(vehicle.person === undefined ? {} : { person: vehicle.person }),
  };
}

function weighCredential(inventory: Inventory, kind: string, value: string, moment: Moment): Finding {
  const credential = inventory.credentialByValue(kind, value);
  if (!credential) return { reason: 'unknown' };
  const pass: Pass = { ...credential, kind: credential.blocked ? 'blocked' : 'credential' };
  return { reason: judge(pass, moment), pass, subject: `credential:${credential.id}`, person: credential.person };
}

const opens = ({ role, profile }: Device): boolean => role !== 'camera' && profile.commands?.open !== undefined;

/** The device that would open: the one named, or that of the lane which the zone or the camera stands for. */
function openerOf(inventory: Inventory, name: string): Device {
  const device = inventory.device(name);
  if (device && opens(device)) return device;
  const inZone = inventory.devicesIn(device?.zone ?? name).filter(opens);
  const watched = device ? inZone.filter(({ cameras }) => cameras.includes(device.id)) : [];
  const candidates = watched.length > 0 ? watched : inZone;
  const [only] = candidates;
  if (only && candidates.length === 1) return only;
  const why =
    candidates.length > 1 ? `leads to several gates: ${candidates.map(({ id }) => id).join(', ')}` : 'leads to no gate';
  throw new GatehouseError('access.gate_unknown', `${shown(name)} ${why}`);
}
