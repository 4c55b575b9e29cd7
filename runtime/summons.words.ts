/** What the alarms say to people when nobody has answered. `{alarm}` and `{place}` are filled in. */
export const summonsWords = {
  unanswered: { zh: '{place}{alarm}：无人接警', en: '{place}{alarm}: nobody has answered' },
  title: { zh: '报警升级', en: 'Alarm passed on' },
  order: { zh: '{alarm}', en: '{alarm}' },
} as const;
