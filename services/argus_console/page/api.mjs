// Calls of the console. Whatever changes something carries the header that no other site can send.

const CHANGE = { 'argus-console': 'page', 'content-type': 'application/json' };
const PATIENCE = 60_000;

export class Refused extends Error {
  constructor(status, told) {
    super(told?.error ?? `the console answered ${status}`);
    this.status = status;
    this.retryAfter = told?.retry_after;
  }
}

async function call(method, path, body) {
  const changes = method !== 'GET';
  const answer = await fetch(path, {
    method,
    headers: changes ? CHANGE : {},
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

export const session = () => call('GET', '/api/session');
export const signIn = (key) => call('POST', '/api/session', { key });
export const signOut = () => call('DELETE', '/api/session');
export const whatIf = (gpus, load) => call('POST', '/api/whatif', { gpus, load });

// Draws, and tells of each event by its name; ends when the answer does.
export async function draw(order, tell, signal) {
  const answer = await fetch('/api/draw', {
    method: 'POST', headers: CHANGE, body: JSON.stringify(order), signal,
  });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => null));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      const at = frame.indexOf('\ndata: ');
      tell(frame.slice('event: '.length, at), JSON.parse(frame.slice(at + '\ndata: '.length)));
    }
  }
}
