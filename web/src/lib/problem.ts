// A failed request in the words of RFC 9457, whatever went wrong on the way.
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: string;

  constructor(status: number, title: string, detail: string, code: string) {
    super(`${title}: ${detail}`);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.code = code;
  }

  static unreachable(): Problem {
    return new Problem(
      0,
      'Castiel does not answer',
      'The server may be stopped or restarting. Nothing is lost; this page shows the last answer it got.',
      'unreachable',
    );
  }

  static async from(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => '');
    try {
      const body = JSON.parse(text) as { title?: unknown; detail?: unknown; code?: unknown };
      return new Problem(
        response.status,
        typeof body.title === 'string' ? body.title : `The server answered ${response.status}`,
        typeof body.detail === 'string' ? body.detail : '',
        typeof body.code === 'string' ? body.code : `http_${response.status}`,
      );
    } catch {
      return new Problem(response.status, `The server answered ${response.status}`, text.slice(0, 300), `http_${response.status}`);
    }
  }
}
