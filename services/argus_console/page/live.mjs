// The state as it changes. Where the console goes away the page says so, and comes again.

import * as api from './api.mjs';
import { hear, say, state, update } from './store.mjs';

const AGAIN = 1500; // milliseconds
const SILENCE = 20_000; // the console says something every few seconds

let source = null;
let timer = 0;

export function listen() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource('/api/live');
  source.addEventListener('state', (event) => {
    if (state.link === 'lost') say('Connected again');
    hear(JSON.parse(event.data));
    watchdog();
  });
  source.addEventListener('error', lost);
  watchdog();
}

export function hush() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function watchdog() {
  clearTimeout(timer);
  timer = setTimeout(lost, SILENCE);
}

function lost() {
  hush();
  if (state.link !== 'lost') update({ link: 'lost', said: 'Connection lost, reconnecting' });
  timer = setTimeout(again, AGAIN);
}

// It may have been restarted, and then does not know us any more.
async function again() {
  try {
    const session = await api.session();
    update({ session });
    if (session.tenant !== null) listen();
  } catch {
    lost();
  }
}
