// The modules are TypeScript for a browser; Vite turns them into something Node runs.
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

export async function startLoader() {
  const server = await createServer({ root: fileURLToPath(new URL('../../', import.meta.url)), configFile: false, logLevel: 'error', server: { host: '127.0.0.1', middlewareMode: true, hmr: false, ws: false, watch: null }, appType: 'custom', optimizeDeps: { noDiscovery: true } });
  return { load: (path) => server.ssrLoadModule(path), close: () => server.close() };
}
