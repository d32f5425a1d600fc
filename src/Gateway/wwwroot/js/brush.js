// Colours to paint with.
import { h, icon } from './dom.js';

/** The palette of a model as a list to choose from. `chosen` is a token, or −1: the eraser. */
export class Brush {
  chosen = -1;

  constructor(palette, chosen, changed = () => {}) {
    this.palette = palette;
    this.chosen = chosen ?? palette.sorted().at(-1);
    const tokens = palette.sorted();
    this.#options = [...tokens, -1].map((token) => {
      const option = h('span', {
        role: 'option', class: token < 0 ? 'swatch eraser' : 'swatch', id: `c${token}`, tabindex: token === this.chosen ? 0 : -1, 'aria-selected': String(token === this.chosen),
        'aria-label': token < 0 ? 'Eraser' : `Colour ${token}, ${palette.hex(token)}`, title: token < 0 ? 'Eraser' : palette.hex(token),
        onclick: () => this.#choose(token, changed),
      });
      if (token >= 0) option.style.background = palette.css(token);
      option.token = token;
      return option;
    });
    this.element = h('div', { class: 'swatches', role: 'listbox', 'aria-label': 'Colours of the model', onkeydown: (event) => this.#move(event, changed) }, this.#options);
  }

  #options;

  #choose(token, changed) {
    this.chosen = token;
    for (const option of this.#options) {
      const isChosen = option.token === token;
      option.setAttribute('aria-selected', String(isChosen));
      option.tabIndex = isChosen ? 0 : -1;
    }
    changed(token);
  }

  #move(event, changed) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns(), ArrowDown: this.#columns() }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.#options.findIndex((option) => option.token === this.chosen);
    const next = this.#options[Math.max(0, Math.min(this.#options.length - 1, at + step))];
    this.#choose(next.token, changed);
    next.focus();
  }

  #columns() {
    const { offsetTop } = this.#options[0];
    return this.#options.filter((option) => option.offsetTop === offsetTop).length;
  }
}

/** Two tools to point with, and the colours of the second. */
export function tools(first, isBrush, changed) {
  const button = (brush, text, symbol) => h('button', { type: 'button', class: 'tool', 'data-key': text, 'aria-pressed': String(brush === isBrush), onclick: () => changed(brush) }, icon(symbol), text);
  return h('div', { class: 'row tools', role: 'group', 'aria-label': 'What pointing at the picture does' },
    first ? button(false, first, 'drag') : null, button(true, 'Paint pixels', 'brush'));
}
