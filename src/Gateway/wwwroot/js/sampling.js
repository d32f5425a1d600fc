// How colours are drawn.
import { h, icon, slider } from './dom.js';
import { randomSeed } from './api.js';

/** Controls of temperature, top-k, top-p and seed. `values` is changed in place. */
export function samplingFields(values, { colours, seedHint }, changed = () => {}) {
  const set = (name) => (value) => {
    values[name] = value;
    changed();
  };
  const seed = h('input', {
    type: 'text', inputmode: 'numeric', value: values.seed ?? '', placeholder: seedHint, 'aria-label': 'Seed', class: 'seed', autocomplete: 'off', spellcheck: 'false',
    oninput: () => set('seed')(seed.value.trim()),
  });
  return h('div', { class: 'sampling' },
    slider('Temperature', { value: values.temperature, min: 0, max: 2, step: 0.05, hint: '0: always the most likely colour' }, set('temperature')),
    slider('Top-k', { value: values.topK, min: 0, max: colours, step: 1, hint: 'Draws among the k most likely colours; 0: all' }, set('topK')),
    slider('Top-p', { value: values.topP, min: 0.05, max: 1, step: 0.05, hint: 'Draws among the most likely colours that together have this probability' }, set('topP')),
    h('div', { class: 'slider' }, h('span', { class: 'label' }, 'Seed'), seed,
      h('button', {
        type: 'button', class: 'quiet icon-only', 'aria-label': 'Draw a seed', title: 'Draw a seed', onclick: () => {
          seed.value = randomSeed();
          set('seed')(seed.value);
        },
      }, icon('dice'))));
}

/** The message's form of them; an empty seed is drawn by the server. */
export function samplingMessage({ temperature, topK, topP, seed }) {
  return { temperature, topK, topP, ...(seed ? { seed } : {}) };
}
