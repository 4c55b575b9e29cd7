/** Which topics a device may use on the device broker (design.md 5, reliability.md N10). Pure. */

const MAX_BYTES = 256;
const MAX_LEVELS = 8;

/** Topics of a firmware profile that speaks its own dialect, for one device. */
export interface OwnTopics {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}
export const noOwnTopics: OwnTopics = { publish: [], subscribe: [] };

export interface TopicRules {
  /** Topics of the way up, which only the gateway itself is meant to hear. */
  readonly up: readonly string[];
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
}

/**
 * True for a topic that names one place: at most 256 bytes and 8 levels, no wildcard, no broker topic (`$…`), no control
 * character and nothing that was not valid UTF-8 (the decoder leaves U+FFFD in its place).
 */
export function isPlainTopic(topic: string): boolean {
  return (
    topic.length > 0 &&
    Buffer.byteLength(topic) <= MAX_BYTES &&
    topic.split('/').length <= MAX_LEVELS &&
    !/[#+\p{Cc}\uFFFD]/u.test(topic) &&
    topic.isWellFormed() &&
    !topic.startsWith('$')
  );
}

/**
 * Closed rules of one device: it publishes to exact topics only, and subscribes below its own `down/`. The one wildcard is
 * its own `down/#`.
 */
export function topicRules(device: string, own: OwnTopics = noOwnTopics): TopicRules {
  const base = `gatehouse/devices/${device}`;
  const publish = new Set([`${base}/up/telemetry`, `${base}/up/event`, ...own.publish.filter(isPlainTopic)]);
  const subscribe = new Set([`${base}/down/#`, ...own.subscribe.filter(isPlainTopic)]);
  return {
    up: [...publish].filter((topic) => topic.startsWith(`${base}/up/`) || !topic.startsWith('gatehouse/')),
    mayPublish: (topic) => publish.has(topic),
    maySubscribe: (filter) => subscribe.has(filter) || (filter.startsWith(`${base}/down/`) && isPlainTopic(filter)),
  };
}
