import { defineConfig } from 'vite';

// Every address is relative, so that the page works below any path; everything is a file, so that the policy of `/ui` can
// forbid what is inline.
export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ['chrome107', 'firefox104', 'safari16'],
    cssTarget: ['chrome107', 'firefox104', 'safari16'],
    reportCompressedSize: false,
  },
});
