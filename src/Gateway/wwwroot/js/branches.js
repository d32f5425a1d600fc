// The family of a session: the samples that began together, and what was forked from them.
import { h } from './dom.js';
import { thumbnail } from './picture.js';

/** Who belongs to a session, as a forest: [{id, session, forks: […]}]. */
export function familyOf(sessions, ids) {
  const known = new Map(sessions.map((session) => [session.sessionId, session]));
  const rootOf = (id) => {
    for (let at = id; ;) {
      const parent = known.get(at)?.parent;
      if (!parent || !known.has(parent)) return at;
      at = parent;
    }
  };
  const forks = Map.groupBy(sessions, (session) => session.parent);
  const grow = (id) => ({ id, session: known.get(id), forks: (forks.get(id) ?? []).map((session) => grow(session.sessionId)) });
  return [...new Set(ids.map(rootOf))].map(grow);
}

/** All sessions of a forest. */
export const membersOf = (forest) => forest.flatMap((node) => [node.id, ...membersOf(node.forks)]);

/** The forest as pictures with lines from parents to forks. */
export class Branches {
  element = h('nav', { class: 'branches', 'aria-label': 'Samples and branches' });
  #listeners = new AbortController();

  /** Draws it; `address(id)` is where a picture's link goes. */
  show(forest, paintings, selected, address) {
    this.#listeners.abort();
    this.#listeners = new AbortController();
    const count = membersOf(forest).length;
    this.element.hidden = count < 2;
    this.element.replaceChildren(this.#list(forest, paintings, selected, address, 'Sample'));
  }

  #list(nodes, paintings, selected, address, kind) {
    return h('ul', {}, nodes.map((node, i) => {
      const painting = paintings.get(node.id);
      const canvas = h('canvas', { class: 'pixels', 'aria-hidden': 'true' });
      const caption = h('span', { class: 'caption' });
      const words = kind === 'Sample' ? `Sample ${i + 1}` : `Fork ${i + 1}`;
      const draw = () => {
        thumbnail(canvas, painting);
        caption.textContent = painting.isComplete ? words : `${Math.round((100 * painting.made) / painting.pixels)} %`;
        caption.className = `caption ${painting.state.toLowerCase()}`;
      };
      let isAsked = false;
      painting.addEventListener('change', () => {
        if (isAsked) return;
        isAsked = true;
        requestAnimationFrame(() => {
          isAsked = false;
          draw();
        });
      }, { signal: this.#listeners.signal });
      draw();
      return h('li', {}, h('a', { href: address(node.id), 'aria-current': node.id === selected ? 'true' : null, 'aria-label': `${words}${node.id === selected ? ', shown' : ''}` }, canvas, caption),
        node.forks.length ? this.#list(node.forks, paintings, selected, address, 'Fork') : null);
    }));
  }
}
