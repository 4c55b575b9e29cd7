/** What a tab's own description says when the gateway has turned it off, in both languages at once: nobody is logged in. */
import type { OffFlow } from './store.ts';

const reasons: Readonly<Record<string, readonly [zh: string, en: string]>> = {
  silent: ['死循环，流程进程无响应', 'endless loop: the flow process stopped answering'],
  exit: ['使流程进程异常退出', 'it ended the flow process'],
  memory: ['占用内存过多', 'it used too much memory'],
  flood: ['消息循环，每秒消息过多', 'a loop of messages: too many a second'],
  noise: ['向网关发送无意义的数据', 'it sent the gateway nonsense'],
  hammer: ['请求网关过于频繁', 'it asked the gateway too often'],
  'missing-types': ['所用节点类型不存在', 'a node type it uses is not there'],
};

export function offText({ at, why, nodeLabel, detail }: OffFlow): string {
  const [zh, en] = reasons[why] ?? [why, why];
  const when = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  const where = nodeLabel === undefined ? '' : ` (${nodeLabel})`;
  const more = detail === undefined ? '' : ` · ${detail.replace(/\s+/g, ' ').slice(0, 200)}`;
  return `${when} UTC system:flows 已停用 turned off: ${zh} / ${en}${where}${more}`;
}
