/** Characters of Chinese plates (GA 36): 31 provinces, marks of special plates, letters without I and O. */
import characters from '../locales/plate-characters.json' with { type: 'json' };

export const provinces: readonly string[] = [...characters.provinces];
export const specials: readonly string[] = [...characters.specials];
export const letters: readonly string[] = [...'ABCDEFGHJKLMNPQRSTUVWXYZ'];
