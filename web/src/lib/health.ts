// The three probes of the server, asked as a load balancer would ask them.
export interface Probe {
  name: 'live' | 'ready' | 'startup';
  status: number;
  text: string;
}

export async function probe(name: Probe['name'], signal: AbortSignal): Promise<Probe> {
  try {
    const response = await fetch(`/health/${name}`, { signal });
    return { name, status: response.status, text: (await response.text()).slice(0, 2000) };
  } catch {
    return { name, status: 0, text: 'no answer' };
  }
}
