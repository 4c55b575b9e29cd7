import type { PlateColour } from '../state/lanes.ts';
import { type Key, t } from '../words/words.ts';

/** A plate as it looks on the car: province and letter, dot, the rest. */
export function Plate({ plate, colour = 'unknown' }: { plate?: string | undefined; colour?: PlateColour }) {
  if (plate === undefined) return <span class="plate plate-none">{t('gates.plate.unread')}</span>;
  return (
    <span class={`plate plate-${colour}`}>
      <span class="plate-face">
        {plate.slice(0, 2)}
        <i class="plate-dot" />
        {plate.slice(2)}
      </span>
    </span>
  );
}

/** `蓝牌`; nothing for a colour the camera did not tell. */
export const plateColourWord = (colour: PlateColour): string =>
  colour === 'unknown' ? '' : t(`gates.colour.${colour}` as Key);
