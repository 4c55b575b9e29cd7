/** Commands of platforms: what signs them, and with which keys (reliability.md C8). */
import { type Static, Type } from 'typebox';
import { commandInput, deviceId } from './api.ts';

const closed = { additionalProperties: false } as const;

/** What makes a command of a platform its own, for this gateway, fresh, and once (reliability.md C8). */
const signedPart = Type.Object(
  {
    gatewayId: Type.String({ maxLength: 64, description: 'the gateway it is for' }),
    key: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$', description: 'public key it is checked with' }),
    id: Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,64}$', description: 'the same id is the same command' }),
    nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{16,64}$', description: 'used once; or the nonce of a challenge' }),
    issuedAt: Type.Integer({ minimum: 0, description: 'ms UTC' }),
    signature: Type.String({
      pattern: '^[A-Za-z0-9_-]{86}$',
      description: 'Ed25519 in base64url, over the canonical JSON (RFC 8785) of the whole command without this field',
    }),
  },
  { ...closed, title: 'CommandSignature' },
);
export const signedCommand = Type.Object(
  { ...commandInput.properties, signed: signedPart },
  { ...closed, title: 'SignedCommand' },
);
export type SignedCommand = Static<typeof signedCommand>;
/** Body of `POST /commands`: people and flows are known by their log-in, platforms sign. */
export const commandRequest = Type.Object(
  { ...commandInput.properties, signed: Type.Optional(signedPart) },
  { ...closed, title: 'CommandRequest' },
);
export const challengeView = Type.Object(
  {
    nonce: Type.String({ description: 'sign the next command with it' }),
    expiresInMs: Type.Integer(),
  },
  { title: 'Challenge' },
);

/** A public key of a platform, and what it may sign. Several at once make a change of keys without a gap. */
export const platformKey = Type.Object(
  {
    id: signedPart.properties.key,
    platform: deviceId,
    publicKey: Type.String({ maxLength: 1024, description: 'Ed25519: PEM, or its 32 bytes in base64url' }),
    devices: Type.Optional(Type.Array(deviceId, { maxItems: 500, description: 'absent, and no zones: all' })),
    zones: Type.Optional(Type.Array(deviceId, { maxItems: 500, description: 'devices of these zones' })),
    commands: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
        maxItems: 100,
        description: 'absent: all its role may send',
      }),
    ),
    validFrom: Type.Optional(Type.Integer({ description: 'ms UTC' })),
    validTo: Type.Optional(Type.Integer({ description: 'ms UTC' })),
    note: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  },
  { ...closed, title: 'PlatformKey' },
);
export type PlatformKey = Static<typeof platformKey>;
