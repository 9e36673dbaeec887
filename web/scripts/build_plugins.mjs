// Two steps of the production build: a content security policy in the page itself, and a gzip
// variant beside every file so that the server never compresses at run time.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const kPolicy = "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'";

export function contentSecurityPolicy() {
  return {
    name: 'castiel-content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [{ tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: kPolicy }, injectTo: 'head-prepend' }],
  };
}

export function precompress() {
  let folder = 'dist';
  return {
    name: 'castiel-precompress',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath ?? entry.path, entry.name);
        if (path.endsWith('.gz')) continue;
        const bytes = readFileSync(path);
        const packed = gzipSync(bytes, { level: 9 });
        if (packed.length < bytes.length * 0.95) writeFileSync(`${path}.gz`, packed);
        else rmSync(`${path}.gz`, { force: true });
      }
    },
  };
}
