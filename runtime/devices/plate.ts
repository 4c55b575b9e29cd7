/** Number plates 号牌 as they are stored and compared: one spelling for what cameras, guards and lists write differently. */

/** What sets the groups of a plate apart on paper: spaces, full stops, middle dots in their many forms, hyphens. */
const SEPARATORS = /[\s.。·•・∙⋅‧˙\u2010-\u2015\u2212-]+/gu;

/** What cameras and guards write where no plate was read. Compared after normalising. */
const UNREAD = new Set([
  '',
  '_无_',
  '无',
  '无牌',
  '无牌车',
  '未识别',
  'UNKNOWN',
  'NOPLATE',
  'UNLICENSED',
  'NULL',
  'NONE',
]);

/** Letters and digits of any script; Chinese plates begin with a Han character, some end with one (学 警 港 澳 挂). */
const POSSIBLE = /^[\p{L}\p{Nd}]{2,16}$/u;

/**
 * NFC, upper case, full-width letters and digits made plain, separators removed: `粤b·１２345` and `粤B 12345` are one.
 * Applying it twice changes nothing.
 */
export const normalisePlate = (text: string): string =>
  text.normalize('NFKC').replace(SEPARATORS, '').toUpperCase().normalize('NFKC').replace(SEPARATORS, '');

/** True for the markers cameras send when they saw a vehicle and no plate, e.g. `_无_`. @param plate normalised */
export const isUnread = (plate: string): boolean => UNREAD.has(plate);

/** Whether a list may hold it. @param plate normalised */
export const isPlate = (plate: string): boolean => POSSIBLE.test(plate) && !isUnread(plate);
