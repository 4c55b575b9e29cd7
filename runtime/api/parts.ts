/** What the HTTP side needs of the other parts: narrow, so that a test can bring the real ones it means and no more. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { Alarms } from '../alarms/alarms.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { Clock } from '../clock.ts';
import type { Dispatcher } from '../commands/dispatcher.ts';
import type { PlatformKeys } from '../commands/platform-keys.ts';
import type { SignedCommands } from '../commands/signed.ts';
import type { Config } from '../config.ts';
import type {
  AccessDecision,
  AccessQuestion,
  FlowVersion,
  FlowVersionDetail,
  PointHistory,
  ReplayView,
  Status,
  StorageView,
  Uplink,
  UplinkView,
} from '../contracts/api.ts';
import type { LinkageTest, LinkageView } from '../contracts/linkage-view.ts';
import type { Position } from '../contracts/record.ts';
import type { Evidence } from '../devices/evidence.ts';
import type { DeviceHost } from '../devices/host.ts';
import type { Inventory } from '../devices/inventory.ts';
import type { Notices } from '../duty/notices.ts';
import type { WorkOrders } from '../duty/work-orders.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import type { Replays } from '../replay/replays.ts';
import type { Auth, Caller } from './auth.ts';
import type { Limits } from './limits.ts';
import type { Right } from './rights.ts';
import type { TypeBoxProvider } from './validation.ts';

export type JournalPort = Pick<
  Journal,
  | 'gateway'
  | 'file'
  | 'head'
  | 'append'
  | 'commit'
  | 'onCommit'
  | 'read'
  | 'search'
  | 'find'
  | 'effectsOf'
  | 'latest'
  | 'pending'
>;
export type InventoryPort = Pick<
  Inventory,
  | 'site'
  | 'putSite'
  | 'zones'
  | 'device'
  | 'devices'
  | 'secretOf'
  | 'checkSecret'
  | 'putDevice'
  | 'deleteDevice'
  | 'putZone'
  | 'deleteZone'
  | 'zone'
  | 'person'
  | 'people'
  | 'putPerson'
  | 'deletePerson'
  | 'vehicle'
  | 'vehicles'
  | 'putVehicle'
  | 'deleteVehicle'
  | 'credential'
  | 'credentials'
  | 'putCredential'
  | 'deleteCredential'
  | 'putUplink'
  | 'deleteUplink'
>;
export type DispatcherPort = Pick<
  Dispatcher,
  'send' | 'settled' | 'get' | 'list' | 'leases' | 'annotate' | 'renew' | 'emergencyOpen'
>;
export type AlarmsPort = Pick<
  Alarms,
  'open' | 'all' | 'get' | 'act' | 'raise' | 'clear' | 'takeOut' | 'floods' | 'booths'
>;
export interface LinkagesPort {
  list(): LinkageView[];
  /** @throws GatehouseError `linkage.not_found` */
  get(id: string): LinkageView;
  /** From trigger to outputs, without touching any; resolves once its signed record is durable. @throws as `get`, `journal.*` */
  test(id: string, by: string): Promise<LinkageTest>;
}
export type HostPort = Pick<DeviceHost, 'view' | 'pushed' | 'refusal'>;

export interface AccessPort {
  /** Decides and records the decision. @throws GatehouseError `access.*` */
  ask(question: AccessQuestion, actor: string): Promise<AccessDecision>;
  /** Decides and records nothing. */
  decide(question: AccessQuestion): AccessDecision;
}
export interface FlowsPort {
  state(): Status['flows'];
  openEditor(until: number): Promise<void>;
  closeEditor(): Promise<void>;
  reload(): void;
  /** A flow asks the gateway for more than it may have, and does not stop. */
  accuse(tab: string): void;
}
export interface FlowHistoryPort {
  list(limit: number, before?: number): FlowVersion[];
  /** @throws GatehouseError `flows.version` */
  get(id: number): FlowVersionDetail;
  /** @throws GatehouseError `flows.version` */
  restore(id: number, by: { readonly actor: string; readonly note: string }): Promise<FlowVersion>;
}
export interface UplinkPort {
  views(): UplinkView[];
  /** @throws GatehouseError `inventory.not_found`, `uplink.busy`, `uplink.range` */
  replay(id: string, stretch: object, actor: string): Promise<ReplayView>;
  /** @throws GatehouseError `config.invalid`, `inventory.conflict` */
  check(entry: Pick<Uplink, 'id' | 'username' | 'password'>): void;
  /** Resolves once every change so far is in force. */
  settled(): Promise<void>;
}
export interface BackupView {
  readonly name: string;
  readonly kind: 'full' | 'config';
  readonly origin: 'schedule' | 'demand' | 'epoch';
  readonly created: number;
  readonly head: string;
  readonly version: string;
  readonly gateway: string;
  readonly bytes: number;
  readonly portable: boolean;
}
export interface BackupsPort {
  list(): BackupView[];
  running(): boolean;
  /** @throws GatehouseError `backup.*` */
  make(
    wish: {
      readonly kind?: 'full' | 'config' | undefined;
      readonly passphrase?: string | undefined;
      readonly remember?: boolean | undefined;
    },
    actor: string,
  ): Promise<BackupView>;
  /** @throws GatehouseError `backup.not_found` */
  file(name: string): { path: string; bytes: number };
}
export interface StoragePort {
  view(): StorageView;
  history(query: {
    readonly device: string;
    readonly name: string;
    readonly from: number;
    readonly to: number;
    readonly after?: Position;
  }): Promise<PointHistory>;
}
export interface DemoPort {
  /** Makes simulated devices do something over their real protocol. @throws GatehouseError `http.invalid` */
  play(action: DemoAction, body: { readonly plate?: string }): Promise<void>;
}
export const demoActions = [
  'arrival',
  'forced-arm',
  'smoke',
  'intrusion',
  'noise',
  'clear',
  'fire',
  'one-detector',
  'two-detectors',
  'ebike-in-elevator',
  'ebike-leaves',
  'entrapment',
  'charger-overheat',
  'charger-welded',
  'site-key',
  'gas',
  'gas-valve-stuck',
] as const;
export type DemoAction = (typeof demoActions)[number];

export interface Place {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}
export type DeviceSide = Readonly<Record<'http' | 'mqtt', Place>>;

export interface Parts {
  readonly config: Pick<Config, 'dataDir' | 'http' | 'devices'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly journal: JournalPort;
  readonly auth: Auth;
  readonly inventory: InventoryPort;
  readonly access: AccessPort;
  readonly dispatcher: DispatcherPort;
  readonly platformKeys: Pick<PlatformKeys, 'list' | 'put' | 'remove'>;
  readonly signed: Pick<SignedCommands, 'challenge' | 'submit'>;
  readonly alarms: AlarmsPort;
  readonly linkages: LinkagesPort;
  readonly host: HostPort;
  readonly evidence: Pick<Evidence, 'pathOf'>;
  readonly notices: Notices;
  readonly workOrders: WorkOrders;
  readonly calendar: Calendar;
  /** Asked at each request: a part that is restarted or not there yet. */
  readonly flows?: () => FlowsPort | undefined;
  readonly flowHistory?: () => FlowHistoryPort | undefined;
  readonly uplinks?: () => Status['uplinks'];
  readonly uplinkControl?: () => UplinkPort | undefined;
  readonly backups?: () => BackupsPort | undefined;
  readonly storage?: () => StoragePort | undefined;
  readonly replays?: () => Replays | undefined;
  readonly demo?: () => DemoPort | undefined;
  /** Mounts the Node-RED editor; every route it adds is for installers and administrators, in maintenance mode. */
  readonly editor?: (app: App) => Promise<void> | void;
  /** Quality of the gateway clock now. */
  readonly clockQuality?: () => Status['clock'];
  /** Where devices reach us, for the push addresses an installer is shown; ports as really bound. */
  readonly deviceSide?: () => DeviceSide;
  /** True once the gateway does its work; until then `/readyz` says 503. */
  readonly ready?: () => boolean;
  readonly limits?: Partial<Limits>;
  /** Compares every answer with its schema; for tests. */
  readonly checkAnswers?: boolean;
  /** The built booth app; default: where `vite build` puts it. */
  readonly boothDirectory?: string;
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxProvider
>;

/** What a route module gets beside the app. */
export interface RouteContext {
  readonly parts: Parts;
  readonly limits: Limits;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller needs; a route without one answers nobody. */
    right?: Right;
    /** A file of a page: counted apart from API calls. */
    file?: boolean;
    /** Polled by screens by themselves: does not keep a session alive. */
    quiet?: boolean;
    /** Asks for a password given within five minutes (A8). */
    proof?: boolean;
  }
  interface FastifyRequest {
    /** Set for every route but the open ones, where somebody may be logged in or not. */
    caller: Caller | undefined;
  }
}
