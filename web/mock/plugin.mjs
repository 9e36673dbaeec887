// `vite` alone is a whole dashboard: the mock answers the API, an import keeps running.
import { createMock } from './api.mjs';

export function mockApi() {
  return {
    name: 'castiel-mock-api',
    apply: 'serve',
    configureServer(server) {
      const mock = createMock({ autoplay: true });
      server.middlewares.use((request, response, next) => {
        if (!mock.handle(request, response)) next();
      });
    },
  };
}
