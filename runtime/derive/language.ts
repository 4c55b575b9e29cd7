/** Both languages of a contract in one schema, one of them in a document. */
export const languages = ['zh-CN', 'en-US'] as const;
export type Language = (typeof languages)[number];

/** `x-zh` beside `description` is how contracts hold both; a document has `description` in its own language. */
export function inLanguage(value: unknown, language: Language): unknown {
  if (Array.isArray(value)) return value.map((item) => inLanguage(item, language));
  if (typeof value !== 'object' || value === null) return value;
  const { 'x-zh': zh, ...rest } = value as Readonly<Record<string, unknown>>;
  const told = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, inLanguage(item, language)]));
  return language === 'zh-CN' && typeof zh === 'string' ? { ...told, description: zh } : told;
}
