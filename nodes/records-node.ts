/** `gh-records`: records of any scenario, picked by device, zone or all, by kind and, where wanted, by name. */
import { type Kind, kinds } from '../runtime/contracts/record.ts';
import { serveEditor } from './editor-routes.ts';
import { gatewayOf } from './gateway.ts';
import { createLight } from './light.ts';
import type { FlowNode, NodeDefinition, Red } from './red.ts';
import { readPick, readTicks } from './selection.ts';
import { followLink, followRecords, readMaxAge } from './source.ts';

/** Ticked kinds, each narrowed to the names given; names are separated by commas, spaces or `、`. */
function readKindTicks(definition: NodeDefinition): ReadonlySet<string> {
  const names = typeof definition.names === 'string' ? definition.names.split(/[\s,，、;；]+/).filter(Boolean) : [];
  const ticked = [...readTicks(definition.records)]
    .map((tick) => tick.split(':')[0] as Kind)
    .filter((kind) => kinds.includes(kind));
  return new Set(
    ticked.flatMap((kind) => (names.length === 0 ? [`${kind}:*`] : names.map((name) => `${kind}:${name}`))),
  );
}

export function registerRecords(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-records', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const pick = readPick(definition);
    const scenario = typeof definition.scenario === 'string' ? definition.scenario : '';
    const ends = [() => light.close()];
    if (!pick) light.set({ unconfigured: true });
    else {
      const selection = { scenarios: scenario === '' ? [] : [scenario], pick, ticks: readKindTicks(definition) };
      ends.push(followRecords({ gateway, node: this, light, selection, maxAgeSeconds: readMaxAge(definition) }));
      if (pick.by === 'device') ends.push(followLink(gateway, light, selection.scenarios, pick.device));
    }
    this.on('close', () => {
      for (const end of ends) end();
    });
  });
}
