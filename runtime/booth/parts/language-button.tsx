import { language, speak, t } from '../words/words.ts';
import { Tap } from './tap.tsx';

/** The other language, named in itself: found by somebody who cannot read this one. */
export function LanguageButton() {
  const chinese = language.value === 'zh-CN';
  return (
    <Tap class="language" onTap={() => speak(chinese ? 'en-US' : 'zh-CN')}>
      <span lang={chinese ? 'en' : 'zh-CN'}>{t(chinese ? 'settings.language.en' : 'settings.language.zh')}</span>
    </Tap>
  );
}
