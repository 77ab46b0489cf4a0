// The page, from what the store knows.

import * as api from './api.mjs';
import { Draw } from './draw.mjs';
import { Gallery } from './gallery.mjs';
import { Gpus } from './gpus.mjs';
import { html, render } from './html.mjs';
import { hush, listen } from './live.mjs';
import { Now } from './now.mjs';
import { Opened, Plans } from './plans.mjs';
import { onChange, state, update } from './store.mjs';
import { WhatIf } from './whatif.mjs';

function App(told) {
  const { session, live, link, open, plans, said } = told;
  const plan = open === null ? null : plans.find((one) => one.id === open);
  return html`
    <${Top} ...${told} />
    <main>
      ${session && session.tenant === null && html`<${SignIn} wrong=${told.wrong} />`}
      ${session?.tenant != null && html`
        <${Trouble} live=${live} link=${link} />
        <${Draw} ...${told} />
        ${live?.cluster ? html`
          <${Now} live=${live} />
          <${Gpus} ...${told} />
          <div class="pair"><${Plans} ...${told} /><${WhatIf} ...${told} /></div>` : html`<p class="note">Looking for routers…</p>`}
        <${Gallery} ...${told} />`}
    </main>
    ${plan && html`<${Opened} key=${plan.id} plan=${plan} />`}
    <p class="hidden" role="status" aria-live="polite">${said}</p>`;
}

function Top({ live, link, session }) {
  const lost = link === 'lost' || (live && !live.there);
  const word = lost ? 'reconnecting' : link === 'live' ? 'live' : 'connecting';
  return html`<header class="top">
    <h1><img src="/eye.svg" alt="" width="30" height="30" /> Argus ${live?.cluster && html`<span class="cluster">${live.cluster.name}</span>`}</h1>
    <p class=${`pill ${word}`} data-test="link">${word === 'reconnecting' ? 'Reconnecting…' : word === 'live' ? 'Live' : 'Connecting…'}</p>
    ${session?.keyed && session.tenant !== null && html`<button onClick=${leave}>Sign out <span class="dim">${session.tenant}</span></button>`}
  </header>`;
}

function Trouble({ live, link }) {
  if (link === 'lost') return html`<p class="trouble" role="alert">The console does not answer. What you see is what it told last; this page comes back by itself.</p>`;
  if (live && !live.there) return html`<p class="trouble" role="alert">No router answers: ${live.problem || 'none is known'}. What you see is what was told last; this page comes back by itself.</p>`;
  return null;
}

function SignIn({ wrong }) {
  return html`<section class="card signin" aria-labelledby="signin-title">
    <h2 id="signin-title">Sign in</h2>
    <form onSubmit=${enter}>
      <label for="key">API key</label>
      <input id="key" name="key" type="password" autocomplete="current-password" required aria-describedby="key-note" />
      <p id="key-note" class="note">A tenant's key draws; the control service's looks on.</p>
      ${wrong && html`<p class="failed" role="alert">${wrong}</p>`}
      <button class="primary">Sign in</button>
    </form>
  </section>`;
}

async function enter(event) {
  event.preventDefault();
  try {
    update({ session: await api.signIn(event.currentTarget.key.value.trim()), wrong: '' });
    listen();
  } catch (error) {
    update({ wrong: error.message });
  }
}

async function leave() {
  hush();
  update({ session: await api.signOut().catch(() => ({ ...state.session, tenant: null })), live: null, samples: [], plans: [], drawings: [], link: 'connecting' });
}

async function start() {
  try {
    const session = await api.session();
    update({ session });
    if (session.tenant !== null) listen();
  } catch {
    update({ link: 'lost' });
    setTimeout(start, 1500);
  }
}

onChange((told) => render(html`<${App} ...${told} />`, document.getElementById('app')));
start();
