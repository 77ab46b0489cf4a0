// What the page knows, and one way to change it: the page is drawn anew from it, once a frame.

export const state = {
  session: null, // {keyed, tenant, draws}; null until asked
  link: 'connecting', // to the console: connecting, live, lost
  live: null, // as /api/live tells it
  samples: [], // oldest first
  plans: [], // oldest first
  drawings: [], // newest first
  open: null, // number of the plan that is shown
  whatif: { gpus: -1, load: 1, busy: false, answer: null, asked: null, error: '' },
  said: '', // for screen readers
  wrong: '', // of the last sign-in
};

const MOST_SAMPLES = 900;
const MOST_DRAWINGS = 60;
let draw = () => {};
let due = false;

export function onChange(render) {
  draw = render;
}

export function update(patch) {
  Object.assign(state, patch);
  if (due) return;
  due = true;
  // Not requestAnimationFrame: a page in the background gets no frames, and shall be current.
  setTimeout(() => { due = false; draw(state); }, 16);
}

export function say(words) {
  update({ said: words });
}

export function hear(told) {
  const patch = { live: told.state, link: 'live' };
  if (told.samples.length) {
    const last = state.samples.at(-1)?.at ?? 0;
    const fresh = told.samples.filter((one) => one.at > last);
    patch.samples = [...state.samples, ...fresh].slice(-MOST_SAMPLES);
  }
  if (told.plans) {
    const newest = told.plans.findLast((one) => one.changes);
    const known = state.plans.findLast((one) => one.changes);
    if (known && newest && newest.id !== known.id) patch.said = `Plan ${newest.id}: ${newest.reason}`;
    patch.plans = told.plans;
  }
  update(patch);
}

export function begin(drawing) {
  update({ drawings: [drawing, ...state.drawings].slice(0, MOST_DRAWINGS) });
}

export function change(id, patch) {
  update({ drawings: state.drawings.map((one) => (one.id === id ? { ...one, ...patch } : one)) });
}
