/** Node-RED's editor as the browser has it, and the two jQuery additions of its own that we use. */

/** Words of the contract, both languages: the browser decides. */

export const wordOf = ({ zh, en }       )         => (window.RED.i18n.lang().startsWith('zh') ? zh : en);

/** Asks the flow process, which asks the gateway. @throws jqXHR when it does not answer */
export const ask =    (path        , query                        )             =>
  new Promise((resolve, reject) => {
    $.getJSON(`${window.RED.settings.apiRootUrl}${path}`, query).then((found   ) => resolve(found), reject);
  });
