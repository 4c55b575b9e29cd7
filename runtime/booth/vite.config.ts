import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';

const gateway = process.env.GATEHOUSE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [preact({ prefreshEnabled: false, devToolsEnabled: false })],
  build: {
    target: 'es2023',
    outDir: 'dist',
    emptyOutDir: true,
    // A data: address is refused by the page's content security policy (`default-src 'self'`).
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': gateway, '/editor': gateway } },
});
