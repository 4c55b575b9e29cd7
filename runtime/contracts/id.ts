import { Type } from 'typebox';

/** Of devices, zones and everything else a site names itself. */
export const deviceId = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });
