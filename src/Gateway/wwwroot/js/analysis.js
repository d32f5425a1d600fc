// A closer look at a picture: what the model's heads see in it, and which pixels surprised the model.
import { announce, h, problemBox } from './dom.js';
import { base64Of, call } from './api.js';
import { pngOf } from './picture.js';

const MOST_BITS = 8;
const RAMP = [[16, 16, 32], [58, 30, 110], [150, 40, 110], [226, 84, 60], [250, 170, 60], [255, 246, 200]];

/** The section of a picture: `picture()` gives {width, height, rgb, tokens, made} or null while it is not complete. */
export class Analysis {
  surprise = null;

  constructor(app, model, picture, easel) {
    Object.assign(this, { app, model, picture, easel });
    this.heat = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.#toggleHeat() }, 'Surprise per pixel');
    this.classes = h('button', { type: 'button', onclick: () => this.#classify() }, 'Classify');
    this.out = h('div', { class: 'analysis', 'aria-live': 'polite' });
    this.note = h('p', { class: 'hint' });
    this.element = h('section', {}, h('h2', {}, 'Look closer'), h('div', { class: 'row' }, model.canGenerate ? this.heat : null, this.classes), this.note, this.out);
    this.update();
  }

  /** Enables what can be done with the picture as it is. */
  update() {
    const isReady = Boolean(this.picture());
    this.heat.disabled = !isReady;
    this.classes.disabled = !isReady || !this.#classifiers().length;
    this.note.textContent = isReady ? '' : 'When the picture is complete: what it shows, and where it surprised the model.';
    if (!this.#classifiers().length) this.note.textContent = 'No model here has a classifier head: igpt models put-head adds one.';
  }

  /** Forgets what was found: the picture is another. */
  clear() {
    this.surprise = null;
    this.easel.cover(null);
    this.heat.setAttribute('aria-pressed', 'false');
    this.out.replaceChildren();
  }

  #classifiers() {
    return this.app.models.filter((model) => model.heads.length);
  }

  async #toggleHeat() {
    if (this.heat.getAttribute('aria-pressed') === 'true') {
      this.clear();
      return;
    }
    await this.#working(this.heat, async () => {
      const { width, height, tokens } = this.picture();
      const { results } = await call('POST', '/v1/score', { model: this.model.name, images: [{ tokens: { width, height, ids: Array.from(tokens) } }], perToken: true });
      const [score] = results;
      this.surprise = score.logProbs.map((logProb) => -logProb / Math.LN2);
      this.easel.cover(heatOf(this.surprise));
      this.heat.setAttribute('aria-pressed', 'true');
      this.out.replaceChildren(
        h('div', { class: 'legend' }, h('span', {}, 'expected'), h('span', { class: 'ramp', 'aria-hidden': 'true' }), h('span', {}, `${MOST_BITS} bits or more`)),
        h('dl', { class: 'facts' },
          h('dt', {}, 'Mean surprise'), h('dd', {}, `${(this.surprise.reduce((sum, bits) => sum + bits, 0) / this.surprise.length).toFixed(2)} bits per pixel`),
          h('dt', {}, 'Log-likelihood'), h('dd', {}, `${Math.round(score.totalLogLikelihood).toLocaleString('en')} nats`),
          h('dt', {}, 'Bits per dimension'), h('dd', {}, Number(score.bitsPerDim).toFixed(3))));
      announce(`Surprise is shown. Mean ${(this.surprise.reduce((sum, bits) => sum + bits, 0) / this.surprise.length).toFixed(2)} bits per pixel.`);
    });
  }

  async #classify() {
    await this.#working(this.classes, async () => {
      this.clear();
      const picture = this.picture();
      const encoded = base64Of(new Uint8Array(await (await pngOf(picture)).arrayBuffer()));
      const found = await Promise.all(this.#classifiers().map(async (model) => {
        // The model's own tokens are taken as they are; another model quantises the picture itself.
        const image = model.name === this.model.name ? { tokens: { width: picture.width, height: picture.height, ids: Array.from(picture.tokens) } } : { encoded };
        const { results } = await call('POST', '/v1/classify', { model: model.name, images: [image], topK: 5, moreHeads: ['*'] });
        const [{ scores, more }] = results;
        return [{ model, head: model.heads[0].name, scores }, ...more.filter(({ head }) => head !== model.heads[0].name).map(({ head, scores: list }) => ({ model, head, scores: list }))];
      }));
      this.out.replaceChildren(...found.flat().map(({ model, head, scores }) => h('div', { class: 'head' },
        h('h3', {}, head, h('span', { class: 'hint' }, ` ${model.name}`)),
        h('ol', { class: 'bars' }, scores.map((score) => {
          const bar = h('span', { class: 'bar-fill' });
          bar.style.width = `${score.probability * 100}%`;
          return h('li', {}, h('span', { class: 'bar-label' }, score.label || `class ${score.index}`), h('span', { class: 'bar-track', 'aria-hidden': 'true' }, bar), h('span', { class: 'bar-value' }, `${(score.probability * 100).toFixed(1)} %`));
        })))));
      announce(`${found.flat().length} heads have answered.`);
    });
  }

  async #working(button, work) {
    button.setAttribute('aria-busy', 'true');
    try {
      await work();
    } catch (failure) {
      this.out.replaceChildren(problemBox(failure));
    } finally {
      button.removeAttribute('aria-busy');
    }
  }
}

function heatOf(surprise) {
  const data = new Uint8ClampedArray(surprise.length * 4);
  surprise.forEach((bits, i) => {
    const place = Math.min(0.999, Math.max(0, bits / MOST_BITS)) * (RAMP.length - 1);
    const [low, high, part] = [RAMP[Math.floor(place)], RAMP[Math.floor(place) + 1], place % 1];
    for (let c = 0; c < 3; c++) data[i * 4 + c] = low[c] + (high[c] - low[c]) * part;
    data[i * 4 + 3] = 205;
  });
  return data;
}
