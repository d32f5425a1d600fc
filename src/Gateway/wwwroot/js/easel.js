// The canvas: shows a picture of few pixels large and crisp, reveals new pixels one by one, and lets people point at them.
import { h } from './dom.js';

const GLOW = 520;
const CATCH_UP = 700;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * A picture to look at and point into. `source` is {width, height, rgb, made}; `marks` what is drawn over it. Dispatches "point" with {position, phase: start | move | end} and "key" with {position, act}.
 */
export class Easel extends EventTarget {
  #pixels = h('canvas', { class: 'pixels' });
  #heat = h('canvas', { class: 'pixels heat', hidden: true });
  #over = h('canvas', { class: 'over' });
  #source = null;
  #shown = 0;
  #glow = new Map();
  #frame = 0;
  #last = 0;
  #image = null;

  /** Where everything behind is veiled; null: nowhere. */
  veilFrom = null;

  /** Pixels with a colour that people gave: position → token. */
  painted = new Map();

  /** Painted pixels behind this position are marked: the model goes around them. */
  markFrom = 0;

  /** Whether the pixel pointed at is outlined instead of the cut before it. */
  isBrush = false;

  constructor(label) {
    super();
    this.handle = h('div', { class: 'handle', role: 'slider', tabindex: 0, 'aria-label': label, 'aria-orientation': 'vertical', 'aria-valuemin': 0, 'aria-valuenow': 0, 'aria-valuemax': 0 });
    this.element = h('div', { class: 'easel' }, this.#pixels, this.#heat, this.#over, this.handle);
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Shows another picture; pixels that are there already are revealed quickly. */
  show(source, { atOnce = false } = {}) {
    const isOther = this.#source !== source || this.#image?.width !== source.width || this.#image?.height !== source.height;
    this.#source = source;
    if (isOther) {
      for (const canvas of [this.#pixels, this.#heat]) [canvas.width, canvas.height] = [source.width, source.height];
      this.#image = new ImageData(source.width, source.height);
      this.element.style.setProperty('--ratio', `${source.width} / ${source.height}`);
      this.#shown = atOnce ? source.made : 0;
      this.#glow.clear();
    }
    this.handle.setAttribute('aria-valuemax', source.width * source.height);
    this.draw();
  }

  /** How many pixels are on the canvas by now. */
  get shown() {
    return this.#shown;
  }

  /** Covers each pixel with a colour; null: no longer. */
  cover(rgba) {
    this.#heat.hidden = !rgba;
    this.#pixels.classList.toggle('muted', Boolean(rgba));
    if (rgba) this.#heat.getContext('2d').putImageData(new ImageData(rgba, this.#source.width, this.#source.height), 0, 0);
  }

  /** Draws with the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame((now) => this.#render(now));
  }

  #render(now) {
    this.#frame = 0;
    if (!this.#source) return;
    const passed = Math.min(100, now - this.#last);
    this.#last = now;
    this.#reveal(now, passed);
    this.#drawPixels();
    this.#drawOver(now);
    if (this.#shown < this.#source.made || this.#glow.size) this.draw();
  }

  #reveal(now, passed) {
    const { made } = this.#source;
    if (this.#shown > made) this.#shown = made;
    if (calm.matches || document.hidden) {
      this.#shown = made;
      this.#glow.clear();
      return;
    }
    const from = Math.floor(this.#shown);
    const behind = made - this.#shown;
    if (behind > 0) this.#shown = Math.min(made, this.#shown + Math.max(behind / CATCH_UP, 0.12) * passed);
    for (let position = from; position < Math.floor(this.#shown); position++) this.#glow.set(position, now);
    for (const [position, since] of this.#glow) if (now - since > GLOW || position >= this.#shown) this.#glow.delete(position);
  }

  #drawPixels() {
    const { rgb, palette } = this.#source;
    const { data } = this.#image;
    const shown = Math.floor(this.#shown);
    data.fill(0);
    for (let i = 0; i < shown; i++) {
      data[i * 4] = rgb[i * 3];
      data[i * 4 + 1] = rgb[i * 3 + 1];
      data[i * 4 + 2] = rgb[i * 3 + 2];
      data[i * 4 + 3] = this.veilFrom !== null && i >= this.veilFrom ? 70 : 255;
    }
    for (const [position, token] of this.painted) {
      data.set(palette.bytes.subarray(token * 3, token * 3 + 3), position * 4);
      data[position * 4 + 3] = 255;
    }
    this.#pixels.getContext('2d').putImageData(this.#image, 0, 0);
  }

  #drawOver(now) {
    const { width, height } = this.#source;
    const scale = devicePixelRatio || 1;
    const box = this.element.getBoundingClientRect();
    const [w, t] = [Math.round(box.width * scale), Math.round(box.height * scale)];
    if (this.#over.width !== w || this.#over.height !== t) [this.#over.width, this.#over.height] = [w, t];
    const context = this.#over.getContext('2d');
    const cell = w / width;
    const style = getComputedStyle(this.element);
    context.clearRect(0, 0, w, t);
    const shown = Math.floor(this.#shown);

    context.fillStyle = style.getPropertyValue('--dot');
    const dot = Math.max(1, Math.round(cell * 0.09));
    for (let i = shown; i < width * height; i++) {
      if (!this.painted.has(i)) context.fillRect(((i % width) + 0.5) * cell - dot / 2, (Math.floor(i / width) + 0.5) * cell - dot / 2, dot, dot);
    }

    for (const [position, since] of this.#glow) {
      const age = (now - since) / GLOW;
      context.globalAlpha = Math.max(0, 1 - age) ** 2;
      context.fillStyle = age < 0.25 ? '#fff' : style.getPropertyValue('--accent');
      context.fillRect((position % width) * cell, Math.floor(position / width) * cell, cell, cell);
    }
    context.globalAlpha = 1;

    context.fillStyle = '#fff';
    context.strokeStyle = '#191816';
    context.lineWidth = scale;
    for (const position of this.painted.keys()) {
      if (position < this.markFrom) continue;
      const size = Math.max(3 * scale, cell * 0.22);
      const x = (position % width) * cell + cell / 2 - size / 2;
      const y = Math.floor(position / width) * cell + cell / 2 - size / 2;
      context.fillRect(x, y, size, size);
      context.strokeRect(x, y, size, size);
    }
    if (this.#source.made > shown || this.isLive) this.#outline(context, shown, cell, style.getPropertyValue('--accent'), scale * 2);
    if (this.mark !== null && this.mark !== undefined) {
      if (this.isBrush) this.#outline(context, this.mark, cell, style.getPropertyValue('--accent'), scale * 2);
      else this.#cut(context, this.mark, cell, w, style.getPropertyValue('--accent'), scale * 2);
    }
  }

  #outline(context, position, cell, colour, line) {
    const { width, height } = this.#source;
    if (position >= width * height) return;
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect((position % width) * cell, Math.floor(position / width) * cell, cell, cell);
  }

  /** The line between the pixels that stay and those that go. */
  #cut(context, position, cell, right, colour, line) {
    const { width } = this.#source;
    const [x, y] = [(position % width) * cell, Math.floor(position / width) * cell];
    context.beginPath();
    context.moveTo(0, y + (x > 0 ? cell : 0));
    if (x > 0) {
      context.lineTo(x, y + cell);
      context.lineTo(x, y);
    }
    context.lineTo(right, y);
    for (const [style, thick] of [['rgb(0 0 0 / 0.55)', line * 2.2], [colour, line]]) {
      context.strokeStyle = style;
      context.lineWidth = thick;
      context.stroke();
    }
  }

  /** Puts the mark somewhere, with words for people who hear it. */
  point(position, text) {
    this.mark = position;
    if (position !== null) {
      this.handle.setAttribute('aria-valuenow', position);
      this.handle.setAttribute('aria-valuetext', text);
    }
    this.draw();
  }

  /** The pixel under the pointer. */
  #at(event) {
    const { width, height } = this.#source;
    const box = this.element.getBoundingClientRect();
    const clamp = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
    return clamp(((event.clientY - box.top) / box.height) * height, height) * width + clamp(((event.clientX - box.left) / box.width) * width, width);
  }

  #listen() {
    const tell = (phase) => (event) => {
      if (!this.#source || (phase !== 'hover' && event.button > 0)) return;
      if (phase === 'start') {
        this.handle.setPointerCapture(event.pointerId);
        this.handle.focus({ focusVisible: false });
      }
      const isDown = this.handle.hasPointerCapture(event.pointerId);
      this.#dispatch('point', { position: this.#at(event), phase: phase === 'move' && !isDown ? 'hover' : phase });
    };
    this.handle.addEventListener('pointerdown', tell('start'));
    this.handle.addEventListener('pointermove', tell('move'));
    this.handle.addEventListener('pointerup', tell('end'));
    this.handle.addEventListener('pointercancel', tell('end'));
    this.handle.addEventListener('pointerleave', () => this.#dispatch('point', { position: null, phase: 'leave' }));
    this.handle.addEventListener('keydown', (event) => {
      const { width, height } = this.#source ?? {};
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width, PageUp: -4 * width, PageDown: 4 * width, Home: -Infinity, End: Infinity };
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key in steps) {
        const from = this.mark ?? this.#source.made;
        this.#dispatch('key', { position: Math.max(0, Math.min(width * height, from + steps[event.key])), act: 'move' });
      } else if (event.key === 'Enter' || event.key === ' ') this.#dispatch('key', { position: this.mark ?? 0, act: 'paint' });
      else if (event.key === 'Delete' || event.key === 'Backspace') this.#dispatch('key', { position: this.mark ?? 0, act: 'erase' });
      else if (event.key === 'Escape') this.#dispatch('key', { position: null, act: 'leave' });
      else return;
      event.preventDefault();
    });
  }

  #dispatch(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
