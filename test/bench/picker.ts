/** The device picker of the editor among five thousand devices, against a route of bare Fastify that answers the same hits. */
import Fastify from 'fastify';
import { createApiClient } from '../../nodes/api-client.ts';
import { openTestGateway } from '../../runtime/api/gateway.fixture.ts';
import { alternate, type Benchmark, compare, percentile } from './measure.ts';

const DEVICES = 5000;
const ASKED = 200;

const idOf = (n: number): string => String(n).padStart(4, '0');

export const picker: Benchmark = {
  name: 'picker',
  about: `device search of an edit form, ${DEVICES.toLocaleString('en')} devices, twenty hits with their live values, against bare Fastify with the same answer ready`,
  async run(rounds) {
    await using gateway = await openTestGateway({ parts: { checkAnswers: false } });
    const devices = Array.from({ length: DEVICES }, (_, n) => {
      const entry = {
        id: `smoke-${idOf(n)}`,
        name: `烟感 ${idOf(n)}`,
        zone: 'east-in',
        profile: 'gatehouse/smoke-mqtt',
      };
      return { kind: 'device', entry } as const;
    });
    const { problems } = await gateway.inventory.putAll(devices, 'system:bench');
    if (problems.length > 0) throw new Error(`${problems.length} problems with the site of this benchmark`);
    await gateway.journal.append(
      ...devices.map(({ entry }) => ({
        ...({ lane: 'L3', kind: 'telemetry', scenario: 'smoke-alarm', name: 'smoke', data: false } as const),
        device: entry.id,
      })),
    );
    const { port } = await gateway.api.listen();
    const client = createApiClient({ url: new URL(`http://127.0.0.1:${port}`), token: gateway.auth.flowToken });
    const answer = (await client.call('/devices?q=smoke&limit=20')).body;
    const app = Fastify();
    app.get('/api/v1/devices', () => answer);
    const bare = createApiClient({ url: new URL(await app.listen({ host: '127.0.0.1', port: 0 })), token: 'none' });
    const timesOf = async (search: (n: number) => Promise<unknown>) => {
      const times: number[] = [];
      for (let n = 0; n < ASKED; n++) {
        const began = performance.now();
        await search(n);
        times.push(performance.now() - began);
      }
      return times;
    };
    // One, two, three and four letters of a name, as it is typed.
    const typed = (n: number) => idOf((n * 7919) % DEVICES).slice(0, 1 + (n % 4));
    const ours = () => timesOf((n) => client.call(`/devices?scenario=smoke-alarm&limit=20&q=${typed(n)}`));
    const peer = () => timesOf(() => bare.call('/devices'));
    await ours();
    await peer();
    const pairs = await alternate(rounds, ours, peer);
    await app.close();
    return ([0.5, 0.99] as const).map((share) =>
      compare(
        `picker p${share * 100}`,
        'ms',
        'bare Fastify, the same answer',
        pairs.map(([own, other]) => [percentile(own, share), percentile(other, share)] as const),
      ),
    );
  },
};
