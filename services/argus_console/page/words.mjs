// Numbers and names as people read them.

export const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)}%`;
export const quality = (value) => (value == null ? '–' : value.toFixed(3));
export const holding = (loadout) => (loadout.length ? loadout.join(' + ') : 'nothing');
export const clock = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
export const minute = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

export function seconds(value) {
  if (value == null || !Number.isFinite(value)) return '–';
  if (value < 0.995) return `${Math.round(value * 1000)} ms`;
  return value < 120 ? `${value.toFixed(value < 10 ? 2 : 0)} s` : `${(value / 60).toFixed(0)} min`;
}

export function rate(value) {
  if (value == null) return '–';
  return value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2);
}

export const gpus = (count) => (count === 1 ? '1 GPU' : `${count} GPUs`);

export function price(value) {
  if (!value) return '0';
  return value >= 0.01 ? value.toFixed(3) : value.toExponential(1);
}

// A class that gives what holds a variant its colour: the ladder's order, from deep to light.
export function hue(name, variants) {
  if (name === 'switching' || name === 'away') return name;
  const at = variants.indexOf(name.split('+')[0]);
  return `v${(at < 0 ? 5 : at) % 6}`;
}
