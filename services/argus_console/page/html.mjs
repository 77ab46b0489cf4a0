// Markup as tagged templates: what is put in is text, and never becomes markup or code.

import htm from './vendor/htm.mjs';
import { Component, createRef, h, render } from './vendor/preact.mjs';

export const html = htm.bind(h);
export { Component, createRef, render };
