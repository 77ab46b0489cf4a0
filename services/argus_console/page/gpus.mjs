// GPUs by what they hold, as time goes by: a stack of steps, with the plans that moved them.

import { html } from './html.mjs';
import { bunched } from './marks.mjs';
import { Workers } from './now.mjs';
import { update } from './store.mjs';
import { clock, gpus, hue, minute, rate } from './words.mjs';

const SPAN = 10 * 60_000; // milliseconds shown
const LEAST = 60_000;
const GAP = 10_000; // between samples: nothing is known of what lies between
const [WIDE, HIGH, LOW] = [1000, 220, 60];
const MARKS = 12;

export function Gpus({ live, samples, plans }) {
  const { cluster } = live;
  const end = samples.at(-1)?.at ?? live.at;
  const start = Math.max(end - SPAN, Math.min(samples[0]?.at ?? end, end - LEAST));
  const shown = samples.filter((one) => one.at >= start);
  const x = (at) => ((at - start) / (end - start)) * WIDE;
  const names = order(shown, cluster);
  const budget = Math.max(1, ...shown.map(total), cluster.pools.reduce((sum, pool) => sum + pool.workers, 0));
  return html`<section class="card gpus" aria-labelledby="gpus-title">
    <h2 id="gpus-title">GPUs by variant</h2>
    <${Legend} names=${names} cluster=${cluster} />
    <div class="plot">
      <div class="scale" aria-hidden="true"><span>${budget}</span><span>0</span></div>
      <div class="stage">
        <svg class="stack" viewBox=${`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label=${told(cluster)}>
          ${names.map((name, at) => html`<path key=${name} class=${hue(name, cluster.variants)} d=${band(shown, names, at, x, budget)} />`)}
          ${Array.from({ length: Math.min(budget, 40) - 1 }, (_, i) => html`<line key=${i} class="rule" x1="0" x2=${WIDE} y1=${HIGH * (i + 1) / budget} y2=${HIGH * (i + 1) / budget} />`)}
        </svg>
        <${Marks} plans=${plans} start=${start} end=${end} />
        <${Load} shown=${shown} x=${x} />
        <div class="axis" aria-hidden="true"><span>${minute(start)}</span><span>${clock(end)}</span></div>
      </div>
    </div>
    <${Workers} cluster=${cluster} />
  </section>`;
}

const total = (sample) => Object.values(sample.held).reduce((sum, one) => sum + one, 0);
const told = (cluster) => `GPUs now: ${Object.entries(cluster.held).map(([name, count]) => `${count} ${name.replaceAll('+', ' and ')}`).join(', ') || 'none'}`;

// Those that serve, in the ladder's order, then those that do not.
function order(shown, cluster) {
  const found = new Set([...shown.flatMap((one) => Object.keys(one.held)), ...Object.keys(cluster.held)]);
  const rank = (name) => (name === 'away' ? 1e6 : name === 'switching' ? 1e5 : cluster.variants.indexOf(name.split('+')[0]));
  return [...found].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function band(shown, names, at, x, budget) {
  const y = (count) => HIGH * (1 - count / budget);
  let path = '';
  shown.forEach((sample, i) => {
    const below = names.slice(0, at).reduce((sum, name) => sum + (sample.held[name] ?? 0), 0);
    const count = sample.held[names[at]] ?? 0;
    if (!count) return;
    const next = shown[i + 1]?.at ?? sample.at;
    const until = next - sample.at > GAP ? sample.at + 2000 : next;
    // A hair wider, so that no seam shows between neighbours.
    path += `M${x(sample.at).toFixed(1)} ${y(below).toFixed(1)}H${(x(until) + 0.6).toFixed(1)}V${y(below + count).toFixed(1)}H${x(sample.at).toFixed(1)}Z`;
  });
  return path;
}

function Legend({ names, cluster }) {
  return html`<ul class="legend">${names.map((name) => html`<li key=${name}>
    <span class=${`swatch ${hue(name, cluster.variants)}`} aria-hidden="true"></span>
    ${name.replaceAll('+', ' + ')} <strong>${cluster.held[name] ?? 0}</strong></li>`)}</ul>`;
}

function Marks({ plans, start, end }) {
  // As wide as it was drawn last; at first as on a small window, where more marks are one.
  const width = document.querySelector('.marks')?.clientWidth || 300;
  const moved = plans.filter((one) => one.changes && one.at >= start && one.at <= end).slice(-MARKS);
  const placed = moved.map((one) => ({ ...one, x: width * (one.at - start) / (end - start) }));
  const left = (x) => ({ left: `${100 * x / width}%` });
  return html`<ul class="marks" aria-label="Plans that moved workers">
    ${placed.map((one) => html`<li key=${`line ${one.id}`} class="line" aria-hidden="true" style=${left(one.x)}></li>`)}
    ${bunched(placed).map((mark) => html`<${Mark} key=${mark.plans[0].id} mark=${mark} style=${left(mark.x)} />`)}
  </ul>`;
}

// One plan, or several that followed each other closely: then the newest opens.
function Mark({ mark, style }) {
  const tell = (one) => `Plan ${one.id} at ${clock(one.at)}: ${one.reason}`;
  const told = mark.plans.map(tell).join('\n');
  return html`<li style=${style}>
    <button aria-label=${told} title=${told} onClick=${() => update({ open: mark.plans.at(-1).id })}>${mark.label}</button>
  </li>`;
}

const [asked, queued] = [(one) => one.rate, (one) => one.queued];

function Load({ shown, x }) {
  // Each by a scale of its own: what waits may be many times what comes in a second.
  const most = (of) => Math.max(1, ...shown.map(of));
  const line = (of) => shown.map((one, i) => {
    const gap = i && one.at - shown[i - 1].at > GAP;
    return `${i && !gap ? 'L' : 'M'}${x(one.at).toFixed(1)} ${(LOW * (1 - of(one) / most(of))).toFixed(1)}`;
  }).join('');
  const last = shown.at(-1);
  const words = last ? `Load now ${rate(last.rate)} images a second, ${last.queued} waiting` : 'Load';
  return html`<svg class="load" viewBox=${`0 0 ${WIDE} ${LOW}`} preserveAspectRatio="none" role="img" aria-label=${words}>
    <path class="queued" d=${line(queued)} /><path class="rate" d=${line(asked)} />
  </svg>
  <p class="facts key"><span class="stroke rate" aria-hidden="true"></span> images asked for a second <span class="dim">(up to ${rate(most(asked))})</span> <span class="stroke queued" aria-hidden="true"></span> waiting <span class="dim">(up to ${most(queued)})</span></p>`;
}
