/** What the deploy history says in the editor. */
export const words = {
  title: { zh: '部署历史', en: 'Deploy history' },
  note: { zh: '部署说明（为什么改）', en: 'Note: why this deploy' },
  none: { zh: '没有说明', en: 'no note' },
  current: { zh: '正在运行', en: 'running' },
  restore: { zh: '恢复到此版本', en: 'Return to this version' },
  restored: { zh: '已恢复，正在重新载入', en: 'Restored, loading again' },
  failed: { zh: '没有成功：', en: 'Failed: ' },
  same: { zh: '只移动了节点位置', en: 'only positions differ' },
  origin: {
    first: { zh: '首次启动', en: 'first start' },
    deploy: { zh: '部署', en: 'deploy' },
    restore: { zh: '恢复', en: 'return' },
    off: { zh: '自动停用', en: 'turned off by the gateway' },
    empty: { zh: '流程文件损坏', en: 'flow file broken' },
  },
  change: {
    added: { zh: '新增', en: 'added' },
    removed: { zh: '删除', en: 'removed' },
    changed: { zh: '修改', en: 'changed' },
  },
} as const;
