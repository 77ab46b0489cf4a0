// The plans of late; one opens to tell why, what was rejected, and what happened next.

import { Component, createRef, html } from './html.mjs';
import { update } from './store.mjs';
import { clock, holding, percent, price, quality, rate, seconds } from './words.mjs';

const SHOWN = 40;

export function Plans({ plans, live }) {
  const newest = plans.filter((one) => one.changes || one.id === live.cluster.plan?.id).slice(-SHOWN).reverse();
  return html`<section class="card plans" aria-labelledby="plans-title">
    <h2 id="plans-title">Plans</h2>
    ${live.blind && html`<p class="note">Load and plans cannot be had: ${live.blind}</p>`}
    ${!newest.length && !live.blind && html`<p class="note">None yet.</p>`}
    <ol class="timeline" reversed>${newest.map((one) => html`<li key=${one.id}>
      <button class="plan" aria-haspopup="dialog" onClick=${() => update({ open: one.id })}>
        <span class="when">${clock(one.at)}</span>
        <span class="what"><strong>Plan ${one.id}</strong>${one.followed ? '' : html` <em>advised only</em>`}
          <span class="reason">${one.reason}</span>
          ${one.moves.length > 0 && html`<span class="facts">${one.moves.map(moved).join('; ')}</span>`}
        </span>
      </button></li>`)}</ol>
  </section>`;
}

// What would have been lost is as good as nothing: no sign, and no zeros behind it.
const lost = (cost) => (Math.abs(cost) < 0.00005 ? '0' : cost.toFixed(4));
const moved = (move) => `${move.workers} × ${holding(move.from)} → ${holding(move.to)}`;

export class Opened extends Component {
  box = createRef();

  componentDidMount() {
    this.box.current.showModal();
  }

  render({ plan }) {
    return html`<dialog ref=${this.box} class="card" aria-labelledby="opened-title" onClose=${() => update({ open: null })}>
      <header><h2 id="opened-title">Plan ${plan.id}</h2>
        <button class="close" aria-label="Close" autofocus onClick=${() => this.box.current.close()}>×</button></header>
      <p class="lead" data-test="reason">${plan.reason}</p>
      <p class="facts">${clock(plan.at)} · ${plan.solver} · ${plan.followed ? 'followed' : 'advised only'}${plan.rate ? ` · for ${rate(plan.rate)} images a second · quality ${quality(plan.quality)} expected · ${percent(plan.shed, 1)} refused` : ''}</p>
      <${Holds} plan=${plan} />
      ${plan.moves.length > 0 && html`<h3>Who moves</h3><ul>${plan.moves.map((one, i) => html`<li key=${i}>${moved(one)} <span class="dim">in ${one.pool}</span></li>`)}</ul>`}
      <h3>Rejected</h3>
      ${plan.alternatives.length ? html`<table><thead><tr><th scope="col">Alternative</th><th scope="col">Would be</th><th scope="col">Quality lost</th></tr></thead>
        <tbody>${plan.alternatives.map((one) => html`<tr key=${one.name}><th scope="row">${one.name}</th><td>${one.description}</td><td>${lost(one.cost)}</td></tr>`)}</tbody></table>`
        : html`<p class="note">Nothing was weighed: it says what workers hold.</p>`}
      ${plan.inputs && html`<${Inputs} inputs=${plan.inputs} />`}
      ${plan.aftermath && html`<${After} after=${plan.aftermath} />`}
    </dialog>`;
  }
}

function Holds({ plan }) {
  return html`<table><thead><tr><th scope="col">Pool</th><th scope="col">Loadout</th><th scope="col">Workers</th><th scope="col">Price of a second</th></tr></thead>
    <tbody>${plan.allocations.map((one, i) => html`<tr key=${i}><td>${one.pool}</td><th scope="row">${holding(one.loadout)}</th><td>${one.workers}</td><td>${price(one.price)}</td></tr>`)}</tbody></table>`;
}

function Inputs({ inputs }) {
  const queued = Object.entries(inputs.queued).filter(([, count]) => count).map(([name, count]) => `${count} for ${name || 'any'}`).join(', ');
  return html`<h3>Made from</h3><p>${rate(inputs.rate)} images a second likeliest, burstiness ${inputs.burstiness.toFixed(1)}; ${queued ? `waiting: ${queued}` : 'nobody waiting'}; ${inputs.met} in time and ${inputs.missed} missed in the five minutes before.</p>`;
}

function After({ after }) {
  const how = after.switches ? `${after.switched} of ${after.switches} workers have switched${after.took === null ? '' : `, in ${seconds(after.took)}`}; ` : '';
  return html`<h3>What happened next</h3><p>${how}${after.met} in time and ${after.missed} missed${after.over ? '' : ', so far'}.</p>`;
}
