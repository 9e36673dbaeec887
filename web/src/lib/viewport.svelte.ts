// Whether the window is as narrow as a phone; components that draw differently there ask this once.
const query = matchMedia('(max-width: 719px)');

class Viewport {
  phone = $state(query.matches);

  constructor() {
    query.addEventListener('change', (event) => (this.phone = event.matches));
  }
}

export const viewport = new Viewport();
