/** Security headers (reliability.md N3). The editor and the docs page bring foreign code with looser needs. */

const common = [`default-src 'self'`, `object-src 'none'`, `base-uri 'none'`, `frame-ancestors 'none'`];

const policies = {
  /** The booth and the API: no inline script or style; snapshots come as blobs. */
  strict: [...common, `img-src 'self' data: blob:`, `form-action 'self'`],
  /** swagger-ui writes style attributes. */
  docs: [...common, `style-src 'self' 'unsafe-inline'`, `img-src 'self' data:`],
  /** Node-RED's editor has inline scripts and styles, evaluates templates and frames its own pages. */
  editor: [
    `default-src 'self'`,
    `script-src 'self' 'unsafe-inline' 'unsafe-eval'`,
    `style-src 'self' 'unsafe-inline'`,
    `img-src 'self' data: blob:`,
    `font-src 'self' data:`,
    `worker-src 'self' blob:`,
    `object-src 'none'`,
    `base-uri 'none'`,
    `frame-ancestors 'self'`,
  ],
} as const;

/** @param path of the request, without query. @param tls whether the listener speaks TLS. */
export function securityHeaders(path: string, tls: boolean): Record<string, string> {
  const under = (root: string) => path === root || path.startsWith(`${root}/`);
  const policy = under('/editor') ? policies.editor : under('/docs') ? policies.docs : policies.strict;
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), payment=(), usb=()',
    ...(tls ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
}
