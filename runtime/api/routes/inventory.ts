/** Zones, people, vehicles and credentials: four resources of one shape. */
import { type TObject, type TString, Type } from 'typebox';
import {
  type Credential,
  credentialInput,
  deviceId,
  type Person,
  personInput,
  type Vehicle,
  vehicleInput,
  type Zone,
  zoneInput,
} from '../../contracts/api.ts';
import { GatehouseError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { maskCredential, maskPerson, maskVehicle } from '../masking.ts';
import type { App, RouteContext } from '../parts.ts';
import { type Mask, type Right, sights } from '../rights.ts';
import { sameKey } from './devices.ts';

const closed = { additionalProperties: false } as const;

interface Query {
  readonly q?: string;
  readonly after?: string;
  readonly limit?: number;
}
/** One kind of entry: its key, its words in addresses and operations, and what the inventory does with it. */
interface Resource<T> {
  readonly path: string;
  readonly singular: string;
  readonly plural: string;
  readonly schema: TObject;
  readonly keySchema: TString;
  readonly read: Right;
  readonly write: Right;
  readonly keyOf: (entry: T) => string;
  readonly list: (query: Query) => readonly T[];
  readonly get: (key: string) => T | undefined;
  readonly put: (entry: T, actor: string, options: { create: boolean }) => Promise<T>;
  readonly remove: (key: string, actor: string) => Promise<void>;
  readonly mask: (entry: T, mask: Mask) => T;
}

const listQuery = Type.Object(
  {
    q: Type.Optional(Type.String({ maxLength: 64, description: 'part of what names it' })),
    after: Type.Optional(Type.String({ maxLength: 64, description: 'key of the last entry of the page before' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'default 100' })),
  },
  closed,
);

export function inventoryRoutes(app: App, { parts: { inventory } }: RouteContext): void {
  resource<Zone>(app, {
    path: 'zones',
    singular: 'Zone',
    plural: 'Zones',
    schema: zoneInput,
    keyOf: ({ id }) => id,
    keySchema: deviceId,
    read: 'live.read',
    write: 'zone.write',
    list: ({ q, after = '', limit }) =>
      inventory
        .zones()
        .filter(({ id, name }) => id > after && (q === undefined || id.includes(q) || name.includes(q)))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit),
    get: (id) => inventory.zone(id),
    put: (zone, actor, options) => inventory.putZone(zone, actor, options),
    remove: (key, actor) => inventory.deleteZone(key, actor),
    mask: (zone) => zone,
  });
  resource<Person>(app, {
    path: 'people',
    singular: 'Person',
    plural: 'People',
    schema: personInput,
    keyOf: ({ id }) => id,
    keySchema: deviceId,
    read: 'people.read',
    write: 'people.write',
    list: (query) => inventory.people(query),
    get: (id) => inventory.person(id),
    put: (person, actor, options) => inventory.putPerson(person, actor, options),
    remove: (key, actor) => inventory.deletePerson(key, actor),
    mask: maskPerson,
  });
  resource<Vehicle>(app, {
    path: 'vehicles',
    singular: 'Vehicle',
    plural: 'Vehicles',
    schema: vehicleInput,
    keyOf: ({ plate }) => plate,
    keySchema: Type.String({ minLength: 1, maxLength: 16 }),
    read: 'people.read',
    write: 'people.write',
    list: (query) => inventory.vehicles(query),
    get: (plate) => inventory.vehicle(plate),
    put: (vehicle, actor, options) => inventory.putVehicle(vehicle, actor, options),
    remove: (key, actor) => inventory.deleteVehicle(key, actor),
    mask: maskVehicle,
  });
  resource<Credential>(app, {
    path: 'credentials',
    singular: 'Credential',
    plural: 'Credentials',
    schema: credentialInput,
    keyOf: ({ id }) => id,
    keySchema: deviceId,
    read: 'people.read',
    write: 'people.write',
    list: (query) => inventory.credentials(query),
    get: (id) => inventory.credential(id),
    put: (credential, actor, options) => inventory.putCredential(credential, actor, options),
    remove: (key, actor) => inventory.deleteCredential(key, actor),
    mask: maskCredential,
  });
}

function resource<T>(app: App, of: Resource<T>): void {
  const { path, singular, plural, schema } = of;
  const tags = [path];
  const params = Type.Object({ key: of.keySchema }, closed);
  const byKey = `/${path}/:key`;

  app.get(
    `/${path}`,
    {
      config: { right: of.read },
      schema: { operationId: `list${plural}`, tags, querystring: listQuery, response: { 200: Type.Array(schema) } },
    },
    (request) => {
      const { mask } = sights[callerOf(request).role];
      return of.list(request.query).map((entry) => of.mask(entry, mask));
    },
  );

  app.get(
    byKey,
    {
      config: { right: of.read },
      schema: { operationId: `get${singular}`, tags, params, response: { 200: schema } },
    },
    (request) => {
      const entry = of.get(request.params.key);
      if (entry === undefined) throw new GatehouseError('inventory.not_found', `No ${path}/${request.params.key}`);
      return of.mask(entry, sights[callerOf(request).role].mask);
    },
  );

  app.post(
    `/${path}`,
    {
      config: { right: of.write },
      schema: { operationId: `create${singular}`, tags, body: schema, response: { 201: schema } },
    },
    async (request, reply) =>
      reply.code(201).send(await of.put(request.body as T, callerOf(request).actor, { create: true })),
  );

  app.put(
    byKey,
    {
      config: { right: of.write },
      schema: { operationId: `change${singular}`, tags, params, body: schema, response: { 200: schema } },
    },
    (request) => {
      const entry = request.body as T;
      sameKey(request.params.key, of.keyOf(entry));
      return of.put(entry, callerOf(request).actor, { create: false });
    },
  );

  app.delete(
    byKey,
    {
      config: { right: of.write },
      schema: { operationId: `remove${singular}`, tags, params, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      await of.remove(request.params.key, callerOf(request).actor);
      return reply.code(204).send();
    },
  );
}
