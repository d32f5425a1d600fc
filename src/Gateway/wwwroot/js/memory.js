// What this browser remembers: the theme and the last settings.

/** Reads a value; the default if there is none, or if storage is not allowed. */
export function load(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`igpt.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keeps a value. */
export function save(name, value) {
  try {
    localStorage.setItem(`igpt.${name}`, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing for this page shows it all the same.
  }
}
