import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { Tap } from '../parts/tap.tsx';
import { t } from '../words/words.ts';
import { letters, provinces, specials } from './plate-characters.ts';

const LONGEST = 8;

/** A plate, or any part of one, without a keyboard. No I and O: no plate has them. */
export function PlatePad({
  plate,
  onClose,
  onPlate,
}: {
  plate: string;
  onClose: () => void;
  onPlate: (plate: string) => void;
}) {
  const [text, setText] = useState(plate);
  const add = (character: string) => setText((now) => (now + character).slice(0, LONGEST));
  const keys = (characters: readonly string[], row: string) => (
    <div class={`keys keys-${row}`}>
      {characters.map((character) => (
        <Tap key={character} class="key" onTap={() => add(character)}>
          {character}
        </Tap>
      ))}
    </div>
  );
  return (
    <Dialog class="plate-pad" title={t('search.plate.title')} onClose={onClose}>
      <div class="plate-cells" role="status" aria-label={t('search.plate.entered', { plate: text })}>
        {Array.from({ length: LONGEST }, (_, index) => (
          <span key={index} class={index < text.length ? 'cell full' : 'cell'}>
            {text[index] ?? ''}
          </span>
        ))}
      </div>
      {keys(provinces, 'province')}
      {keys(specials, 'special')}
      {keys(['1', '2', '3', '4', '5', '6', '7', '8', '9', '0'], 'digit')}
      {keys(letters, 'letter')}
      <div class="plate-taps">
        <Tap kind="main" onTap={() => setText((now) => now.slice(0, -1))} label={t('login.pin.delete')}>
          <Icon name="back" />
        </Tap>
        <Tap kind="main" onTap={() => setText('')}>
          {t('login.pin.clear')}
        </Tap>
        <Tap kind="main" look="solid" onTap={() => onPlate(text)}>
          {t('search.plate.go')}
        </Tap>
      </div>
    </Dialog>
  );
}
