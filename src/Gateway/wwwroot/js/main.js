// Studio: what the address says is what is shown.
import { announce, h, icon, problemBox } from './dom.js';
import { models, Problem } from './api.js';
import { ClusterView } from './cluster.js';
import { ComposeView } from './compose.js';
import { load, save } from './memory.js';
import { Painting } from './painting.js';
import { Palette } from './palette.js';
import { SessionView } from './session.js';
import { sleep, Watch } from './watch.js';

const UNKNOWN = { name: '', width: 32, height: 32, heads: [], canGenerate: false };

/** What the views share: models, paintings, and the streams that feed them. */
class App {
  models = [];
  isLost = false;
  #paintings = new Map();
  #view = null;
  #joined = null;
  #followed = [[], null];
  #place = document.getElementById('view');
  #link = document.getElementById('link');

  find = (name) => this.models.find((model) => model.name === name) ?? { ...UNKNOWN, name, colours: new Palette(new Uint8Array(0)) };
  #watch = new Watch(this.find, (news) => this.tell(news));

  async refresh() {
    this.models = (await models(true)).map((model) => ({ ...model, colours: new Palette(model.palette) }));
  }

  /** Reads the models and opens what the address says; tries again for as long as the gateway needs to start. */
  async open() {
    window.addEventListener('hashchange', () => this.route());
    document.addEventListener('visibilitychange', () => this.#look());
    for (let wait = 500; ; wait = Math.min(8000, wait * 2)) {
      try {
        await this.refresh();
        break;
      } catch (failure) {
        if (!(failure instanceof Problem)) throw failure;
        if (!failure.isPassing) {
          this.#place.replaceChildren(h('div', { class: 'empty' }, h('h1', {}, 'Studio cannot read the models'), problemBox(failure)));
          return;
        }
        this.tell({ isLost: true, wait });
        await sleep(wait);
      }
    }
    this.tell({ isLost: false });
    this.route();
  }

  route() {
    const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
    const [view, id] = path.split('/');
    this.#view?.close();
    const companions = (new URLSearchParams(query).get('with') ?? '').split(',').filter((one) => /^[0-9a-f]{32}$/.test(one));
    if (view === 's' && id) this.#view = new SessionView(this, id, companions);
    else {
      this.follow([], null);
      this.#view = view === 'cluster' ? new ClusterView(this) : new ComposeView(this);
    }
    const name = view === 'cluster' ? 'cluster' : 'paint';
    for (const link of document.querySelectorAll('nav [data-view]')) link.toggleAttribute('aria-current', link.dataset.view === name);
    document.title = { cluster: 'Cluster', s: 'Session' }[view] ? `${{ cluster: 'Cluster', s: 'Session' }[view]} · ImageGPT Studio` : 'ImageGPT Studio';
    this.#place.replaceChildren(this.#view.element);
    window.scrollTo(0, 0);
  }

  /** The address of a session and those that it began with. */
  address(id, companions) {
    return `#/s/${id}${companions.length > 1 ? `?with=${companions.join(',')}` : ''}`;
  }

  go(id, companions) {
    location.hash = this.address(id, companions);
  }

  /** The painting of a session: one for all views. */
  painting(id, model = null) {
    if (!this.#paintings.has(id)) this.#paintings.set(id, new Painting(id, model ?? this.models[0] ?? this.find('')));
    return this.#paintings.get(id);
  }

  forget(id) {
    this.#paintings.delete(id);
  }

  /** Reads on the stream of a generation that has just begun; when it breaks, each session is followed by itself. */
  async join(stream, stop, paintings) {
    this.#joined?.stop.abort();
    const joined = { stop, paintings: new Set(paintings) };
    this.#joined = joined;
    try {
      for await (const event of stream) {
        const painting = paintings[event.data.sample];
        if (joined.paintings.has(painting)) painting.apply(event);
      }
    } catch (failure) {
      if (!(failure instanceof Problem) && !stop.signal.aborted) throw failure;
    } finally {
      if (this.#joined === joined) {
        this.#joined = null;
        this.#follow();
      }
    }
  }

  /** Keeps these paintings up to date, this one first; null: those of before. */
  follow(paintings, first) {
    this.#followed = [paintings ?? this.#followed[0], first];

    // Rewound: what the stream it began with still brings is of the story before.
    if (first?.eventId === null) this.#joined?.paintings.delete(first);
    if (this.#joined && !this.#followed[0].some((painting) => this.#joined.paintings.has(painting))) {
      this.#joined.stop.abort();
      this.#joined = null;
    }
    this.#follow();
  }

  #follow() {
    const [paintings, first] = this.#followed;
    if (document.hidden) return;
    this.#watch.follow(paintings.filter((painting) => !this.#joined?.paintings.has(painting)), first);
  }

  /** A page that nobody sees holds no connections. */
  #look() {
    if (document.hidden) {
      this.#joined?.stop.abort();
      this.#watch.stop();
    } else this.#follow();
  }

  /** Says that the connection is lost, and that it is back. */
  tell({ isLost, wait }) {
    if (isLost) this.#link.textContent = `The gateway does not answer. What is painted is safe; trying again in ${Math.max(1, Math.round(wait / 1000))} s.`;
    if (isLost === this.isLost) return;
    this.isLost = isLost;
    this.#link.classList.toggle('back', !isLost);
    this.#link.hidden = false;
    if (!isLost) {
      this.#link.textContent = 'Connected again. Nothing was lost.';
      announce('Connected again.');
      setTimeout(() => { this.#link.hidden = !this.isLost; }, 4000);
    }
  }
}

const THEMES = { auto: ['auto', 'Theme: as the system'], light: ['sun', 'Theme: light'], dark: ['moon', 'Theme: dark'] };

function theme(name) {
  document.documentElement.dataset.theme = name;
  const button = document.getElementById('theme');
  button.replaceChildren(icon(THEMES[name][0]));
  button.setAttribute('aria-label', THEMES[name][1]);
  button.title = THEMES[name][1];
}

theme(load('theme', 'auto'));
document.getElementById('theme').addEventListener('click', () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  save('theme', next);
  theme(next);
});
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  document.getElementById('view').focus();
});
await new App().open();
