// Serves web/dist over the mock API, the way the binary does: hashed assets for ever, everything else the page itself.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMock } from './api.mjs';

const kTypes = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
// The header of the program; the page has to live with it.
const kPolicy = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const kDist = fileURLToPath(new URL('../dist/', import.meta.url));

export async function startMockServer(options = {}) {
  const mock = createMock(options);
  const server = createServer((request, response) => {
    if (mock.handle(request, response)) return;
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    const send = (name) => {
      const bytes = readFileSync(join(kDist, name));
      response.writeHead(200, { 'content-type': kTypes[extname(name)] ?? 'application/octet-stream', 'content-security-policy': kPolicy, 'cache-control': name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache' });
      response.end(bytes);
    };
    try {
      send(path === '/' ? '/index.html' : path);
    } catch {
      if (extname(path)) response.writeHead(404).end();
      else send('/index.html');
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    mock,
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      mock.cutLive(true);
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
