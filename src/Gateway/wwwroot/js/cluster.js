// The third view: the cluster, live.
import { announce, confirm, h, problemBox } from './dom.js';
import { call, events, Problem } from './api.js';
import { sleep } from './watch.js';

const HISTORY = 60;

/** Silos, devices, replicas, slots, queues and speed. */
export class ClusterView {
  #stop = new AbortController();
  #history = new Array(HISTORY).fill(0);

  constructor(app) {
    this.app = app;
    this.totals = h('dl', { class: 'totals' });
    this.line = h('canvas', { class: 'line', role: 'img', 'aria-label': 'Pixels per second, the last minute' });
    this.problem = h('div', {});
    this.models = h('section', { class: 'cards', 'aria-label': 'Models' });
    this.silos = h('section', { class: 'cards', 'aria-label': 'Silos' });
    this.element = h('div', { class: 'cluster' }, h('h1', {}, 'The cluster, now'), h('div', { class: 'pulse' }, this.totals, this.line), this.problem,
      h('h2', {}, 'Models'), this.models, h('h2', {}, 'Silos'), this.silos);
    this.#follow();
    const tick = setInterval(() => this.#tick(), 1000);
    this.#stop.signal.addEventListener('abort', () => clearInterval(tick));
  }

  close() {
    this.#stop.abort();
  }

  async #follow() {
    const { signal } = this.#stop;
    for (let wait = 500; !signal.aborted; wait = Math.min(8000, wait * 2)) {
      try {
        for await (const { data } of events('GET', '/v1/cluster/events', { signal })) {
          wait = 500;
          this.app.tell({ isLost: false });
          this.#show(data);
        }
      } catch (failure) {
        if (signal.aborted) return;
        if (!(failure instanceof Problem)) throw failure;
        if (!failure.isPassing) {
          this.problem.replaceChildren(problemBox(failure));
          return;
        }
        this.app.tell({ isLost: true, wait });
      }
      await sleep(wait, signal);
    }
  }

  #tick() {
    if (!this.now) return;
    this.#history.push(sum(this.now.replicas, 'tokensPerSecond'));
    this.#history.shift();
    this.#drawLine();
  }

  #show(now) {
    // A button that has the focus, or is about to be pressed, is not taken away.
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.now = now;
    const { silos, replicas } = now;
    const total = (name, value, note = '') => [h('div', {}, h('dt', {}, name), h('dd', {}, value, note ? h('small', {}, note) : null))];
    this.totals.replaceChildren(
      ...total('Pixels per second', Math.round(sum(replicas, 'tokensPerSecond')).toLocaleString('en')),
      ...total('Painting', sum(replicas, 'running'), ` of ${sum(replicas, 'slotsTotal')} slots`),
      ...total('Waiting', sum(replicas, 'waiting')),
      ...total('Silos', silos.filter((silo) => silo.status === 'Active').length, silos.length > silos.filter((silo) => silo.status === 'Active').length ? ` of ${silos.length}` : ''),
      ...total('Store', now.store?.state ?? 'none', now.store?.message ?? ''));
    this.models.replaceChildren(...[...Map.groupBy(replicas, (replica) => replica.model)].map(([model, own]) => this.#model(model, own)));
    if (!replicas.length) this.models.replaceChildren(h('p', { class: 'hint' }, 'No model is served. igpt models load adds one.'));
    this.silos.replaceChildren(...silos.map((silo) => this.#silo(silo, replicas.filter((replica) => replica.silo === silo.name))));
    if (focused) this.element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  #model(model, replicas) {
    const ready = replicas.filter((replica) => replica.state === 'ready').length;
    const scale = (count) => this.#ask(`Serve ${model} by ${count} ${count === 1 ? 'replica' : 'replicas'}?`,
      count > replicas.length ? 'It is loaded once more, on the device with the fewest replicas.' : 'One replica finishes what it has and is unloaded.', 'Scale', 'POST', `/v1/models/${encodeURIComponent(model)}/scale`, { replicas: count });
    return h('article', { class: 'card model' },
      h('div', { class: 'card-head' }, h('h3', {}, model), h('span', { class: 'hint' }, `${Math.round(sum(replicas, 'tokensPerSecond')).toLocaleString('en')} pixels/s`)),
      h('div', { class: 'row' }, h('span', {}, `${ready} of ${replicas.length} ${replicas.length === 1 ? 'replica' : 'replicas'} ready`),
        h('span', { class: 'row tight push' },
          h('button', { type: 'button', class: 'icon-only', 'data-key': `less ${model}`, 'aria-label': `One replica of ${model} less`, disabled: replicas.length < 2, onclick: () => scale(replicas.length - 1) }, '−'),
          h('button', { type: 'button', class: 'icon-only', 'data-key': `more ${model}`, 'aria-label': `One replica of ${model} more`, onclick: () => scale(replicas.length + 1) }, '+'))));
  }

  #silo(silo, replicas) {
    const isDrained = silo.status === 'Draining';
    const isUp = silo.status === 'Active' || isDrained;
    const name = encodeURIComponent(silo.name);
    const force = h('input', { type: 'checkbox' });
    const drain = () => this.#ask(`Drain ${silo.name}?`, 'It takes no new work. Its sessions go on elsewhere, or rest until it is back. Its process stays.', 'Drain', 'POST',
      `/v1/cluster/silos/${name}/drain`, () => ({ force: force.checked }), h('label', { class: 'check' }, force, 'Also if nobody else serves its models'));
    const undrain = () => this.#ask(`Put ${silo.name} into service again?`, 'Its replicas load anew.', 'Undrain', 'POST', `/v1/cluster/silos/${name}/undrain`, {});
    return h('article', { class: 'card' },
      h('div', { class: 'card-head' }, h('h3', {}, silo.name), h('span', { class: `chip ${silo.status.toLowerCase()}` }, silo.status),
        isUp && silo.devices.length ? h('button', { type: 'button', class: 'push', 'data-key': `drain ${silo.name}`, onclick: isDrained ? undrain : drain }, isDrained ? 'Undrain' : 'Drain') : null),
      h('p', { class: 'hint' }, silo.address),
      silo.devices.length ? silo.devices.map((device) => this.#device(device)) : h('p', { class: 'hint' }, 'A gateway: answers clients, owns no devices.'),
      replicas.map((replica) => this.#replica(replica)));
  }

  #device(device) {
    const [total, free] = [Number(device.memoryTotal), Number(device.memoryFree)];
    const used = total ? (total - free) / total : 0;
    return h('div', { class: 'device' }, h('b', {}, device.name), h('span', { class: 'hint' }, device.description),
      total ? meter('Memory', used, `${gib(total - free)} of ${gib(total)} GiB`) : null,
      device.utilization === undefined ? null : meter('Busy', device.utilization, `${Math.round(device.utilization * 100)} %`));
  }

  #replica(replica) {
    const slots = h('span', { class: 'slots', role: 'img', 'aria-label': `${replica.slotsUsed} of ${replica.slotsTotal} slots in use` },
      Array.from({ length: Math.min(64, replica.slotsTotal) }, (_, i) => h('i', { class: i < replica.slotsUsed ? 'used' : null })));
    return h('div', { class: 'replica' },
      h('div', { class: 'row' }, h('b', {}, replica.id), h('span', { class: `chip ${replica.state}` }, replica.state === 'loading' ? `loading ${Math.round(replica.loaded * 100)} %` : replica.state),
        h('span', { class: 'hint push' }, `${replica.dtype}, ${Math.round(replica.tokensPerSecond).toLocaleString('en')} pixels/s${replica.waiting ? `, ${replica.waiting} waiting` : ''}`)),
      slots, replica.message ? h('p', { class: 'hint' }, replica.message) : null);
  }

  async #ask(title, text, action, method, path, body, extra = null) {
    if (!await confirm(title, text, action, extra)) return;
    this.problem.replaceChildren();
    try {
      await call(method, path, typeof body === 'function' ? body() : body);
      announce(`${action}: done.`);
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
      this.problem.replaceChildren(problemBox(failure));
    }
  }

  #drawLine() {
    const scale = devicePixelRatio || 1;
    const box = this.line.getBoundingClientRect();
    [this.line.width, this.line.height] = [box.width * scale, box.height * scale];
    const context = this.line.getContext('2d');
    const most = Math.max(100, ...this.#history);
    const style = getComputedStyle(this.line);
    const gap = this.line.width / HISTORY;
    this.#history.forEach((value, i) => {
      const x = this.line.width - (this.#history.length - i) * gap;
      const height = Math.max(scale, (value / most) * this.line.height);
      context.fillStyle = style.getPropertyValue(value > 0 ? '--accent' : '--line');
      context.fillRect(x, this.line.height - height, Math.max(1, gap - 2 * scale), height);
    });
  }
}

function meter(name, share, words) {
  const fill = h('span', { class: 'bar-fill' });
  fill.style.width = `${Math.round(share * 100)}%`;
  return h('div', { class: 'meter' }, h('span', { class: 'hint' }, name), h('span', { class: 'bar-track', 'aria-hidden': 'true' }, fill), h('span', { class: 'bar-value' }, words));
}

const sum = (list, name) => list.reduce((total, one) => total + one[name], 0);
const gib = (bytes) => (bytes / 2 ** 30).toFixed(1);
