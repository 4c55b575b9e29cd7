/** Looking into what others sent: messages of foreign nodes, forms saved by hand. */

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);

/** Text without the blanks around it; undefined for none. */
export function textOf(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim() : '';
  return text === '' ? undefined : text;
}

/** A priority 1 to 4 as number or digit; undefined for anything else. */
export function priorityOf(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value.trim() || Number.NaN) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 4 ? number : undefined;
}
