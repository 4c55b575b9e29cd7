/** Where each linkage acts: devices that trigger it and devices it reaches, derived from zones and roles. Pure. */
import {
  type Linkage,
  type LinkageOutput,
  type LinkageReach,
  type LinkageWatch,
  linkages,
} from '../contracts/linkages.ts';

/** A device as far as linkages know it. */
export interface LinkedDevice {
  readonly id: string;
  readonly scenario: string;
  readonly role: string;
  readonly zone: string;
  /** What its profile can do. */
  readonly commands: readonly string[];
}

export interface SiteShape {
  readonly devices: readonly LinkedDevice[];
  parentOf(zone: string): string | undefined;
  /** What the site says of where a linkage acts. */
  readonly reach: readonly LinkageReach[];
}

export interface Missing {
  readonly what: 'noSource' | 'noOutput' | 'unsupported';
  /** A need, or a device. */
  readonly of: string;
}

/** One place where a linkage acts by itself: the compound, a part of it, a zone, a device. */
export interface Place {
  readonly linkage: Linkage;
  /** Unique within the linkage. */
  readonly id: string;
  /** The zone it is in, or the place itself. */
  readonly zone: string;
  readonly sources: readonly LinkedDevice[];
  readonly outputs: readonly { readonly rule: LinkageOutput; readonly device: LinkedDevice }[];
  readonly watches: readonly { readonly rule: LinkageWatch; readonly device: LinkedDevice }[];
  readonly missing: readonly Missing[];
}

export const COMPOUND = 'compound';

/** Whether it acts on this device. */
export const reaches = (place: Place, device: string): boolean =>
  place.outputs.some((output) => output.device.id === device);

export const placesOf = (site: SiteShape): Place[] => linkages.flatMap((linkage) => placesOfOne(linkage, site));

function placesOfOne(linkage: Linkage, site: SiteShape): Place[] {
  const sources = site.devices.filter(({ scenario }) => linkage.triggers.some((one) => one.scenario === scenario));
  const place = (id: string, from: readonly LinkedDevice[], within: (device: LinkedDevice) => boolean): Place => {
    const reached = site.devices.filter(within);
    const fits = ({ scenario, role }: LinkageOutput | LinkageWatch, device: LinkedDevice) =>
      device.scenario === scenario && device.role === role;
    const outputs = linkage.outputs.flatMap((rule) =>
      reached
        .filter((device) => fits(rule, device) && device.commands.includes(rule.command))
        .map((device) => ({ rule, device })),
    );
    const watches = (linkage.watches ?? []).flatMap((rule) =>
      reached.filter((device) => fits(rule, device)).map((device) => ({ rule, device })),
    );
    const unsupported = linkage.outputs
      .filter(({ optional }) => !optional)
      .flatMap((rule) => reached.filter((device) => fits(rule, device) && !device.commands.includes(rule.command)))
      .map(({ id: of }): Missing => ({ what: 'unsupported', of }));
    const needs = new Set(linkage.outputs.flatMap(({ need }) => need ?? []));
    const unmet = [...needs].filter((need) => !outputs.some(({ rule }) => rule.need === need));
    return {
      ...{ linkage, id, sources: from, outputs, watches },
      zone: (linkage.reach === 'device' ? from[0]?.zone : undefined) ?? id,
      missing: [
        ...(from.length === 0 ? [{ what: 'noSource', of: linkage.triggers[0]?.scenario ?? '' } as const] : []),
        ...unmet.map((of): Missing => ({ what: 'noOutput', of })),
        ...unsupported,
      ],
    };
  };
  if (linkage.reach === 'compound') return compound(linkage, site, sources, place);
  const groups = Map.groupBy(sources, ({ id, zone }) => (linkage.reach === 'zone' ? zone : id));
  return [...groups]
    .map(([id, from]) =>
      place(id, from, (device) => (linkage.reach === 'zone' ? device.zone === id : device.id === id)),
    )
    .filter(({ outputs, watches }) => outputs.length + watches.length > 0);
}

/** The whole compound, but for sources of which the site says where they act. */
function compound(
  linkage: Linkage,
  site: SiteShape,
  sources: readonly LinkedDevice[],
  place: (id: string, from: readonly LinkedDevice[], within: (device: LinkedDevice) => boolean) => Place,
): Place[] {
  const rules = site.reach.filter(({ id }) => id === linkage.id);
  const within = (zones: readonly string[], zone: string) => {
    const seen = new Set<string>();
    for (let at: string | undefined = zone; at !== undefined && !seen.has(at); at = site.parentOf(at)) {
      if (zones.includes(at)) return true;
      seen.add(at);
    }
    return false;
  };
  const parts = rules.map(({ from, to }) =>
    place(
      from.join('+'),
      sources.filter(({ zone }) => within(from, zone)),
      ({ zone }) => within(to, zone),
    ),
  );
  const rest = sources.filter(({ zone }) => !rules.some(({ from }) => within(from, zone)));
  return rest.length > 0 || parts.length === 0 ? [...parts, place(COMPOUND, rest, () => true)] : parts;
}
