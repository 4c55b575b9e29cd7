/** Node-RED's editor as the browser has it, and the two jQuery additions of its own that we use. */
import type { EditorRED } from 'node-red';

export interface Hit {
  readonly value: string;
  readonly label: JQuery;
}

declare global {
  interface JQuery {
    autoComplete(options: { minLength: number; search(value: string, done: (hits: Hit[]) => void): void }): JQuery;
  }
  interface Window {
    readonly RED: EditorRED & { readonly settings: { readonly apiRootUrl: string } };
  }
}

/** Words of the contract, both languages: the browser decides. */
export interface Words {
  readonly zh: string;
  readonly en: string;
}

export const wordOf = ({ zh, en }: Words): string => (window.RED.i18n.lang().startsWith('zh') ? zh : en);

/** Asks the flow process, which asks the gateway. @throws jqXHR when it does not answer */
export const ask = <T>(path: string, query: Record<string, string>): Promise<T> =>
  new Promise((resolve, reject) => {
    $.getJSON(`${window.RED.settings.apiRootUrl}${path}`, query).then((found: T) => resolve(found), reject);
  });
