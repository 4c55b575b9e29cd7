/** The lines a person sees on the console at start: where to go and how to log in, or why it did not start. */
import { type Phrase, words } from './announce.words.ts';

export interface DemoLogins {
  readonly password: string;
  readonly pin: string;
  readonly token: string;
}
export interface Facts {
  readonly url: string;
  readonly devices: string;
  readonly mqtt: string;
  readonly boothBuilt: boolean;
  readonly setupCode?: string;
  readonly demo?: DemoLogins;
  readonly logFile?: string;
}

/** Columns a text takes on a terminal: Chinese characters are two wide. */
const width = (text: string): number =>
  [...text].reduce((sum, char) => sum + (/[\u1100-\uffe6]/u.test(char) ? 2 : 1), 0);
const label = (phrase: Phrase): string => {
  const text = `${words[phrase].zh} ${words[phrase].en}`;
  return text + ' '.repeat(Math.max(1, 30 - width(text)));
};
const both = (phrase: Phrase): string => `${words[phrase].zh}\n${words[phrase].en}`;

export function readyText({ url, devices, mqtt, boothBuilt, setupCode, demo, logFile }: Facts): string {
  const lines = [
    '',
    `  ${words.ready.zh}  ${words.ready.en}`,
    '',
    ...(demo ? [`  ${words.demo.zh}`, `  ${words.demo.en}`, ''] : []),
    `  ${label('booth')}${url}/`,
    ...(boothBuilt ? [] : [`  ${words.noBooth.zh}  ${words.noBooth.en}`]),
    `  ${label('setup')}${url}/setup`,
    `  ${label('editor')}${url}/editor`,
    `  ${label('docs')}${url}/docs`,
    `  ${label('pushPort')}${devices}`,
    `  ${label('broker')}${mqtt}`,
    '',
  ];
  if (demo) {
    lines.push(
      `  ${label('guardLogin')}demo-guard   ${words.pin.zh} ${words.pin.en} ${demo.pin}`,
      `  ${label('otherLogin')}demo-leader, demo-installer, demo-auditor, demo-admin   ${words.password.zh} ${words.password.en} ${demo.password}`,
      `  ${label('platformToken')}${demo.token}`,
      '',
    );
  }
  if (setupCode) lines.push(`  ${words.setupCode.zh} ${words.setupCode.en}:  ${setupCode}`, '');
  if (logFile) lines.push(`  ${label('logFile')}${logFile}`);
  lines.push(`  ${words.stop.zh}  ${words.stop.en}`, '');
  return lines.join('\n');
}

/** @param detail names the thing and the remedy, one line each */
export const failureText = (phrase: Phrase, detail: readonly string[]): string =>
  ['', both('failed'), both(phrase), ...detail.map((line) => `  ${line}`), ''].join('\n');

/** @param lines what is wrong and what to do, in both languages */
export const safetyText = (url: string, lines: readonly string[]): string =>
  ['', `  ${words.safety.zh}  ${words.safety.en}  ${url}/`, '', ...lines.map((line) => `  ${line}`), ''].join('\n');

export const saying = both;
