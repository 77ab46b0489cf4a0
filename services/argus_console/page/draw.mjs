// The prompt box, and the picture as it comes.

import * as api from './api.mjs';
import { html } from './html.mjs';
import { begin, change, say, state, update } from './store.mjs';
import { percent, quality, seconds } from './words.mjs';

const AT_ONCE = 3; // levels that are drawn side by side at the same time

let count = 0;

async function drawOne(order, group) {
  const id = (count += 1);
  begin({ id, group, prompt: order.prompt, asked: order.level ?? '', seed: order.seed, phase: 'waiting', step: 0, steps: 0 });
  try {
    await api.draw(order, (kind, told) => heard(id, kind, told));
  } catch (error) {
    failed(id, error);
  }
}

function heard(id, kind, told) {
  if (kind === 'accepted') change(id, { phase: 'drawing', decision: told.decision, request: told.request });
  if (kind === 'step') change(id, { step: told.step, steps: told.steps, ...(told.preview && { image: told.preview }) });
  if (kind === 'error') failed(id, new Error(told.error));
  if (kind === 'picture') {
    change(id, { ...told, phase: 'done' });
    say(`Drawn at ${told.decision.level} in ${seconds(told.timing.total)}: ${told.decision.reason}`);
  }
}

function failed(id, error) {
  const gone = error instanceof TypeError; // what fetch throws where nobody answers
  const why = gone ? 'the console cannot be reached' : error.message;
  change(id, { phase: 'failed', error: why });
  say(`Not drawn: ${why}`);
  if (error.status === 401) update({ session: { ...state.session, tenant: null } });
}

function orderOf(form) {
  const order = { prompt: form.prompt.value.trim() };
  if (form.level.value) order.level = form.level.value;
  if (form.seed.value) order.seed = Number(form.seed.value);
  return order;
}

function submit(event) {
  event.preventDefault();
  const order = orderOf(event.currentTarget);
  if (!order.prompt) return;
  if (event.submitter?.value === 'compare') compare(order);
  else drawOne(order, null);
}

// The same prompt from the same noise at every level that begins from noise.
async function compare(order) {
  const seed = order.seed ?? Math.floor(Math.random() * 2 ** 31);
  const waiting = state.live.cluster.levels.filter((level) => !level.skipped).map((level) => level.name).reverse();
  const group = `${Date.now()}`;
  const next = async () => {
    for (let level = waiting.pop(); level; level = waiting.pop()) {
      await drawOne({ ...order, seed, level }, group);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

function hurry(event) {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form.requestSubmit();
}

export function Draw({ live, session, drawings }) {
  const levels = live?.cluster?.levels ?? [];
  const mute = !levels.length || !session.draws;
  const current = drawings.find((one) => !one.group) ?? null;
  return html`
    <section class="card draw" aria-labelledby="draw-title">
      <div class="ask">
        <h2 id="draw-title">Draw</h2>
        <form onSubmit=${submit}>
          <label for="prompt">Prompt</label>
          <textarea id="prompt" name="prompt" rows="3" maxlength="4000" required onKeyDown=${hurry}
            placeholder="two large red circles left of a blue square"></textarea>
          <div class="row">
            <div>
              <label for="level">Level</label>
              <select id="level" name="level">
                <option value="">Argus chooses</option>
                ${levels.filter((one) => !one.skipped).map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}
              </select>
            </div>
            <div>
              <label for="seed">Seed <span class="dim">(optional)</span></label>
              <input id="seed" name="seed" type="number" min="0" max="9007199254740991" step="1" inputmode="numeric" />
            </div>
          </div>
          <div class="row buttons">
            <button class="primary" disabled=${mute}>Draw</button>
            <button name="how" value="compare" disabled=${mute}>All levels side by side</button>
          </div>
          ${!session.draws && html`<p class="note">This API key is for looking on: a tenant's draws.</p>`}
        </form>
        <${Why} drawing=${current} />
      </div>
      <${Easel} drawing=${current} />
    </section>`;
}

function Easel({ drawing }) {
  if (!drawing) {
    return html`<div class="easel empty"><img src="/eye.svg" alt="" width="72" height="72" />
      <p>Your picture appears here, step by step.</p></div>`;
  }
  return html`<figure class=${`easel ${drawing.phase}`}>
    <${Canvas} drawing=${drawing} />
    <figcaption>${drawing.prompt}</figcaption>
  </figure>`;
}

// A picture in whatever state it is.
export function Canvas({ drawing }) {
  const { phase, step, steps, image, error } = drawing;
  const share = steps ? step / steps : 0;
  return html`<div class="canvas">
    ${image
      ? html`<img class=${phase === 'done' ? 'done' : 'preview'} src=${image} alt=${phase === 'done' ? drawing.prompt : `Preview of ${drawing.prompt}`} />`
      : html`<div class="blank" aria-hidden="true"></div>`}
    ${(phase === 'waiting' || phase === 'drawing') && html`<div class="progress">
      <progress aria-label=${`Steps of ${drawing.prompt}`} max="1" value=${share}></progress>
      <span>${steps ? `step ${step} of ${steps}` : 'waiting for a GPU'}</span>
    </div>`}
    ${phase === 'failed' && html`<p class="failed" role="alert">Not drawn: ${error}</p>`}
  </div>`;
}

function Why({ drawing }) {
  const decision = drawing?.decision;
  if (!decision) return null;
  return html`<div class="why">
    <p class="chosen"><strong data-test="level">${decision.level}</strong> ${unnamed(decision)}</p>
    <p class="facts">
      predicted quality ${quality(decision.predicted_quality)}
      ${drawing.timing && html` · drawn in ${seconds(drawing.timing.total)}, ${seconds(drawing.timing.queue)} of it waiting · by ${drawing.worker} · seed ${drawing.seed}`}
    </p>
    ${decision.options.length > 1 && html`<details>
      <summary>${decision.options.length} levels weighed</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Levels weighed"><table>
        <thead><tr><th scope="col">Level</th><th scope="col">Quality</th><th scope="col">Done in</th><th scope="col">Why not</th></tr></thead>
        <tbody>${decision.options.map((one) => html`<tr key=${one.level} class=${one.rejected ? '' : 'taken'}>
          <th scope="row">${one.level}</th>
          <td><meter min="0" max="1" value=${one.predicted_quality} aria-label=${`Quality at ${one.level}`}></meter> ${percent(one.predicted_quality, 1)}</td>
          <td>${seconds(one.expected_completion)}</td>
          <td>${one.rejected || 'taken'}</td>
        </tr>`)}</tbody>
      </table></div>
    </details>`}
  </div>`;
}

// The reason without the level's name in front, which stands there already.
function unnamed({ level, reason }) {
  return reason.startsWith(`${level} `) ? reason.slice(level.length + 1) : reason;
}
