// What if: fewer GPUs, more load. The simulator plays Argus's policy twice, now and then.

import * as api from './api.mjs';
import { html } from './html.mjs';
import { say, state, update } from './store.mjs';
import { gpus, hue, percent, quality, rate, seconds } from './words.mjs';

const LOADS = [0.5, 0.75, 1, 1.5, 2, 3, 4];
const set = (patch) => update({ whatif: { ...state.whatif, ...patch } });

async function ask(event) {
  event.preventDefault();
  const { gpus: more, load } = state.whatif;
  set({ busy: true, error: '' });
  try {
    const answer = await api.whatIf(more, load);
    set({ busy: false, answer });
    say(`With ${gpus(answer.then.gpus)} at ${rate(answer.then.rate)} images a second: ${percent(1 - answer.then.violations, 1)} in time, quality ${quality(answer.then.quality_in_time)}`);
  } catch (error) {
    set({ busy: false, error: error.message });
    say(`No answer: ${error.message}`);
  }
}

export function WhatIf({ live, whatif }) {
  const budget = live.cluster.pools.reduce((sum, pool) => sum + pool.workers, 0);
  const least = 1 - budget;
  const more = Math.max(least, whatif.gpus);
  const signed = more > 0 ? `+${more}` : `${more}`.replace('-', '−');
  return html`<section class="card whatif" aria-labelledby="whatif-title">
    <h2 id="whatif-title">What if?</h2>
    <form onSubmit=${ask}>
      <label for="whatif-gpus">GPUs <output>${budget + more} <span class="dim">(${more ? signed : 'as now'})</span></output></label>
      <input id="whatif-gpus" type="range" min=${least} max=${Math.max(4, budget)} step="1" value=${more}
        aria-valuetext=${gpus(budget + more)} onInput=${(event) => set({ gpus: Number(event.currentTarget.value) })} />
      <label for="whatif-load">Load <output>× ${whatif.load}</output></label>
      <input id="whatif-load" type="range" min="0" max=${LOADS.length - 1} step="1" value=${LOADS.indexOf(whatif.load)}
        aria-valuetext=${`${whatif.load} times the load`} onInput=${(event) => set({ load: LOADS[Number(event.currentTarget.value)] })} />
      <button class="primary" disabled=${whatif.busy} aria-busy=${whatif.busy}>${whatif.busy ? 'Simulating…' : 'Simulate'}</button>
    </form>
    ${whatif.error && html`<p class="failed" role="alert">${whatif.error}</p>`}
    ${whatif.answer && html`<${Answer} answer=${whatif.answer} variants=${live.cluster.variants} />`}
  </section>`;
}

const ROWS = [
  ['In time', (run) => percent(1 - run.violations, 1)],
  ['Quality in time', (run) => quality(run.quality_in_time)],
  ['Refused', (run) => percent(run.refused, 1)],
  ['Median latency', (run) => seconds(run.latency_p50)],
  ['99% within', (run) => seconds(run.latency_p99)],
  ['GPUs busy', (run) => percent(run.utilisation)],
];

function Answer({ answer, variants }) {
  const runs = [answer.now, answer.then];
  return html`<table class="answer">
    <thead><tr><td></td><th scope="col">Now <span class="dim">${gpus(answer.now.gpus)}, ${rate(answer.now.rate)}/s</span></th>
      <th scope="col">Then <span class="dim">${gpus(answer.then.gpus)}, ${rate(answer.then.rate)}/s</span></th></tr></thead>
    <tbody>
      <tr><th scope="row">Holding</th>${runs.map((run, i) => html`<td key=${i}><${Bar} held=${run.held} total=${run.gpus} variants=${variants} /></td>`)}</tr>
      ${ROWS.map(([name, of]) => html`<tr key=${name}><th scope="row">${name}</th>${runs.map((run, i) => html`<td key=${i}>${of(run)}</td>`)}</tr>`)}
    </tbody></table>
    <p class="facts">${answer.idle ? `Hardly anybody asks now: the load is taken to be half of what the GPUs carry at the best level, ${rate(answer.rate)} images a second.` : `The last ${seconds(answer.recorded)} again and again, as they came: ${rate(answer.rate)} images a second.`}
      ${answer.prompts ? ` Qualities as predicted for ${answer.prompts} prompts of late.` : ' All prompts count as the ladder\'s mean.'} ${answer.planned ? 'Images take what the plan takes them to.' : 'Images take what the document says.'} Simulated, not measured.</p>`;
}

function Bar({ held, total, variants }) {
  const parts = Object.entries(held).filter(([, count]) => count > 0.01);
  const words = parts.map(([name, count]) => `${count.toFixed(count % 1 ? 1 : 0)} ${name}`).join(', ');
  return html`<div class="bar" role="img" aria-label=${words} title=${words}>${parts.map(([name, count]) => html`
    <span key=${name} class=${hue(variants.includes(name) ? name : 'switching', variants)} style=${{ width: `${100 * count / total}%` }}></span>`)}</div>`;
}
