// Elements without a framework: h('button', { class: 'quiet', onclick: f }, 'Text').

const SVG = 'http://www.w3.org/2000/svg';

/** Creates an element. Properties that begin with "on" are listeners; null and false leave an attribute out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'width' || name === 'height') element[name] = value;
    else if (value !== null && value !== false && value !== undefined) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const paths = {
  pause: 'M5 3h2v10H5zM9 3h2v10H9z',
  play: 'M5 3l8 5-8 5z',
  stop: 'M4 4h8v8H4z',
  rewind: 'M8 4v3.500L13 4v8L8 8.500V12L2 8z',
  fork: 'M4 2v4.500c0 2 1 3 3 3.500h1v2.500l4-3.500-4-3.500V8H7.500C6 7.800 5.500 7.200 5.500 6V2zM4 9h1.500v5H4z',
  down: 'M7.200 2h1.600v6.200l2.300-2.300 1.100 1.100L8 11.200 3.800 7l1.100-1.100 2.300 2.300zM3 12.500h10V14H3z',
  brush: 'M12.500 2L14 3.500 8.500 9 7 7.500zM6 8.500L7.500 10c0 2.500-2 4-5 4 1-1 1-1.500 1-2.500C3.500 9.500 4.500 8.500 6 8.500z',
  drag: 'M2 7.200h12v1.600H2zM8 1.500L10.500 5h-5zM8 14.500L5.500 11h5z',
  sun: 'M8 5a3 3 0 100 6 3 3 0 000-6zM7.300 1h1.400v2.300H7.300zM7.300 12.700h1.400V15H7.300zM1 7.300h2.300v1.400H1zM12.700 7.300H15v1.400h-2.300zM3 4l1-1 1.600 1.600-1 1zM10.400 11.400l1-1L13 12l-1 1zM3 12l1.600-1.600 1 1L4 13zM10.400 4.600L12 3l1 1-1.600 1.600z',
  moon: 'M6 2a6 6 0 108 8 5.500 5.500 0 01-8-8z',
  auto: 'M8 2a6 6 0 100 12A6 6 0 008 2zm0 1.500v9a4.500 4.500 0 010-9z',
  image: 'M2 3h12v10H2zm1.500 1.500v5L6 7.500l2.500 2.500L10.500 8l2 2V4.500zM10 5.200a1 1 0 110 2 1 1 0 010-2z',
  dice: 'M3 2h10a1 1 0 011 1v10a1 1 0 01-1 1H3a1 1 0 01-1-1V3a1 1 0 011-1zm2 2a1 1 0 100 2 1 1 0 000-2zm6 6a1 1 0 100 2 1 1 0 000-2zM8 7a1 1 0 100 2 1 1 0 000-2z',
};

/** A 16 × 16 icon; the words beside it, or an aria-label, name it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', paths[name]);
  path.setAttribute('fill-rule', 'evenodd');
  svg.append(path);
  return svg;
}

/** Tells screen readers what has happened. */
export function announce(text) {
  document.getElementById('live').textContent = text;
}

/** Draws a part anew; whoever was at a control of it is at the same one afterwards. */
export function redraw(part, ...children) {
  const { key } = (part.contains(document.activeElement) && document.activeElement.dataset) || {};
  part.replaceChildren(...children.flat().filter(Boolean));
  if (key) part.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

/** A row of choices of which one holds. */
export function segmented(label, choices, chosen, changed) {
  const name = `g${Math.random().toString(36).slice(2)}`;
  return h('fieldset', { class: 'segmented' }, h('legend', { class: 'unseen' }, label),
    choices.map(([value, text, symbol]) => h('label', {},
      h('input', { type: 'radio', name, value, 'data-key': value, checked: value === chosen, onchange: () => changed(value) }),
      h('span', {}, symbol ? icon(symbol) : null, text))));
}

/** A labelled control with its hint. */
export function field(label, control, hint = null) {
  return h('label', { class: 'field' }, h('span', { class: 'label' }, label), control, hint);
}

/** A slider with a number beside it. */
export function slider(label, { value, min, max, step, hint = '' }, changed) {
  const number = h('input', { type: 'number', value, min, max, step, 'aria-label': label, class: 'number', 'data-key': `${label} number` });
  const range = h('input', { type: 'range', min, max, step, value, 'aria-label': `${label}, slider`, 'data-key': label });
  const set = (text, from) => {
    if (text === '' || Number.isNaN(Number(text))) return;
    if (from !== number) number.value = text;
    if (from !== range) range.value = text;
    changed(Number(text));
  };
  number.addEventListener('input', () => set(number.value, number));
  range.addEventListener('input', () => set(range.value, range));
  const row = h('div', { class: 'slider' }, h('span', { class: 'label', title: hint }, label), number, range);
  row.set = (to) => { number.value = to; range.value = to; };
  return row;
}

/** Shows a problem next to what caused it: what rule was broken, what was given, what helps. */
export function problemBox(problem) {
  const rows = (problem.violations?.length ? problem.violations : [problem]).map((one) => h('dl', {},
    one.rule ? [h('dt', {}, one.field ? `${one.field}: rule` : 'Rule'), h('dd', {}, one.rule)] : null,
    one.value ? [h('dt', {}, 'Given'), h('dd', {}, one.value)] : null,
    one.cure ? [h('dt', {}, 'Cure'), h('dd', {}, one.cure)] : null));
  const told = problem.rule || problem.violations?.length;
  return h('div', { class: 'problem', role: 'alert' },
    h('b', {}, problem.title), told ? rows : h('p', {}, problem.message),
    problem.retryAfter ? h('p', { class: 'hint' }, `Trying again may help in ${problem.retryAfter} s.`) : null);
}

/** Asks before something is done that others feel. Resolves to whether it shall be. */
export function confirm(title, text, action, extra = null) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { 'aria-labelledby': 'ask', onclose: () => { dialog.remove(); resolve(dialog.returnValue === 'yes'); } },
      h('h2', { id: 'ask' }, title), h('p', {}, text), extra,
      h('div', { class: 'row end' },
        h('button', { type: 'button', onclick: () => dialog.close('no') }, 'Leave it'),
        h('button', { type: 'button', class: 'primary', onclick: () => dialog.close('yes') }, action)));
    document.body.append(dialog);
    dialog.showModal();
  });
}
