// The cluster now: load, SLO, queues, prices, and the budget of GPUs.

import { html } from './html.mjs';
import { gpus, holding, hue, percent, price, rate, seconds } from './words.mjs';

export function Now({ live }) {
  const { cluster, load } = live;
  const waiting = Object.values(cluster.queued).reduce((sum, one) => sum + one, 0);
  const slack = load.queues.map((queue) => queue.slack).filter((one) => one !== null);
  return html`<section class="now" aria-labelledby="now-title">
    <h2 id="now-title" class="hidden">Now</h2>
    <dl class="tiles">
      <${Tile} name="Load" value=${rate(load.now.rate)} unit="images a second">
        ${load.lately.arrivals} in ${seconds(load.lately.seconds)}
      <//>
      <${Slo} cluster=${cluster} lately=${load.lately} />
      <${Tile} name="Waiting" value=${waiting} unit=${waiting === 1 ? 'image' : 'images'}>
        ${slack.length ? `least slack ${seconds(Math.min(...slack))}` : 'nobody is late'}
      <//>
      <${Budget} cluster=${cluster} />
      <${Prices} plan=${cluster.plan} variants=${cluster.variants} />
    </dl>
  </section>`;
}

function Tile({ name, value, unit, tone = '', children }) {
  return html`<div class=${`tile card ${tone}`}>
    <dt>${name}</dt>
    <dd><span class="big">${value}</span> <span class="unit">${unit}</span></dd>
    <dd class="facts">${children}</dd>
  </div>`;
}

function Slo({ cluster, lately }) {
  const { met } = lately;
  const ended = lately.on_time + lately.late + lately.refused + lately.failed;
  const spent = met === null ? 0 : (1 - met) / (1 - cluster.target);
  const tone = met === null ? '' : met >= cluster.target ? 'good' : 'bad';
  const unit = met === null ? `target ${percent(cluster.target, 1)} within ${seconds(cluster.deadline)}` : `in time, target ${percent(cluster.target, 1)}`;
  return html`<${Tile} name="SLO" value=${met === null ? '–' : percent(met, 1)} unit=${unit} tone=${tone}>
    ${met === null ? 'no request ended lately' : html`
      <meter min="0" max="1" low="0.7" high="0.999" optimum="0" value=${Math.min(1, spent)} aria-label="Error budget used by the last five minutes"></meter>
      ${percent(Math.min(spent, 99))} of the error budget used, ${ended - lately.on_time} of ${ended} missed`}
  <//>`;
}

function Budget({ cluster }) {
  const budget = cluster.pools.reduce((sum, pool) => sum + pool.workers, 0);
  const serving = cluster.workers.filter((one) => one.phase === 'ready').length;
  const busy = cluster.workers.reduce((sum, one) => sum + Math.min(1, one.busy / one.slots), 0);
  return html`<${Tile} name="GPUs" value=${`${serving} / ${budget}`} unit="serving, of the budget" tone=${serving < budget ? 'warn' : ''}>
    ${cluster.pools.map((pool) => `${pool.name}: ${pool.workers} × ${pool.gpu}`).join(', ')} · ${rate(busy)} busy
  <//>`;
}

function Prices({ plan, variants }) {
  const rows = plan?.allocations ?? [];
  const top = Math.max(0, ...rows.map((one) => one.price));
  return html`<${Tile} name="Price of a GPU second" value=${price(top)} unit="quality, at the dearest">
    <ul class="prices">${rows.map((one) => html`<li key=${one.pool + one.loadout}>
      <span class=${`swatch ${hue(one.loadout.join('+'), variants)}`} aria-hidden="true"></span>
      ${holding(one.loadout)} ${price(one.price)}</li>`)}</ul>
  <//>`;
}

export function Workers({ cluster }) {
  return html`<ul class="workers" aria-label="Workers">${cluster.workers.map((one) => {
    const held = one.phase === 'ready' ? one.loadout.join('+') : one.phase === 'failed' || one.phase === 'stopping' ? 'away' : 'switching';
    return html`<li key=${one.name} class=${`worker ${hue(held, cluster.variants)} ${one.busy ? 'busy' : ''}`} title=${one.reason}>
      <strong>${one.name}</strong>
      <span>${one.phase === 'ready' ? holding(one.loadout) : `${one.phase} ${holding(one.assigned)}`}</span>
      <span class="facts">${one.busy ? `drawing ${one.busy} of ${one.slots}` : one.phase === 'ready' ? 'idle' : one.reason}</span>
    </li>`;
  })}</ul>`;
}
