// What was drawn on this page: single pictures, and levels side by side.

import { Canvas } from './draw.mjs';
import { html } from './html.mjs';
import { quality, seconds } from './words.mjs';

export function Gallery({ drawings, live }) {
  if (!drawings.length) return null;
  const order = (live?.cluster?.levels ?? []).map((level) => level.name);
  const groups = new Map();
  for (const one of drawings) {
    const key = one.group ?? `one-${one.id}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const sets = [...groups].filter(([, set]) => set[0].group);
  const singles = drawings.filter((one) => !one.group);
  return html`<section class="card gallery" aria-labelledby="gallery-title">
    <h2 id="gallery-title">Gallery</h2>
    ${sets.map(([key, set]) => html`<${Side} key=${key} set=${set} order=${order} />`)}
    ${singles.length > 0 && html`<h3>One by one</h3>
      <ul class="pictures">${singles.map((one) => html`<${Picture} key=${one.id} drawing=${one} title=${one.prompt} />`)}</ul>`}
  </section>`;
}

function Side({ set, order }) {
  const sorted = [...set].sort((a, b) => order.indexOf(a.asked) - order.indexOf(b.asked));
  return html`<div class="side">
    <h3>${set[0].prompt} <span class="dim">seed ${set[0].seed}, from dearest to cheapest</span></h3>
    <ul class="pictures">${sorted.map((one) => html`<${Picture} key=${one.id} drawing=${one} title=${one.asked} />`)}</ul>
  </div>`;
}

function Picture({ drawing, title }) {
  const { decision, timing } = drawing;
  return html`<li><figure>
    <${Canvas} drawing=${drawing} />
    <figcaption><strong>${title}</strong>
      ${decision && html`<span class="facts">${title === decision.level ? '' : `${decision.level} · `}quality ${quality(decision.predicted_quality)}${timing ? ` · ${seconds(timing.total)}` : ''}</span>`}
    </figcaption>
  </figure></li>`;
}
