import { useState } from 'preact/hooks';
import { deviceName, pictures } from '../store.ts';
import { t } from '../words/words.ts';
import { Age, Time } from './age.tsx';
import { Icon } from './icons.tsx';
import { Tap } from './tap.tsx';

/** What the cameras of a place last saw, best first; each picture says when it was taken. */
export function Snapshot({ cameras }: { cameras: readonly string[] }) {
  const seen = cameras.find((camera) => pictures.value.has(camera));
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const camera = chosen ?? seen ?? cameras[0];
  if (camera === undefined)
    return (
      <p class="snapshot snapshot-none">
        <Icon name="camera" />
        {t('snapshot.nowhere')}
      </p>
    );
  return (
    <div class="snapshot-box">
      {cameras.length > 1 && (
        <fieldset class="filters" aria-label={t('snapshot.cameras')}>
          {cameras.map((id) => (
            <Tap key={id} class="filter" pressed={id === camera} onTap={() => setChosen(id)}>
              {deviceName(id)}
            </Tap>
          ))}
        </fieldset>
      )}
      <View key={camera} camera={camera} />
    </div>
  );
}

function View({ camera }: { camera: string }) {
  const picture = pictures.value.get(camera);
  const [broken, setBroken] = useState<string | undefined>(undefined);
  if (!picture || broken === picture.hash)
    return (
      <p class="snapshot snapshot-none">
        <Icon name="camera" />
        {t(picture ? 'snapshot.unreadable' : 'snapshot.none', { camera: deviceName(camera) })}
      </p>
    );
  return (
    <figure class="snapshot">
      <img
        src={`/api/v1/evidence/${picture.hash}`}
        alt={t('snapshot.alt', { camera: deviceName(camera) })}
        onError={() => setBroken(picture.hash)}
      />
      <figcaption>
        <strong>{deviceName(camera)}</strong> {t('snapshot.still')} <Time at={picture.at} />{' '}
        <span class="second">
          {t('snapshot.before')} <Age since={picture.at} />
        </span>
      </figcaption>
    </figure>
  );
}
