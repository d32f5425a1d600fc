// A model's colours.

/** The colours of a model, from its three bytes per token. */
export class Palette {
  #tokens = new Map();

  constructor(bytes) {
    this.bytes = bytes;
    this.size = bytes.length / 3;
    for (let token = this.size - 1; token >= 0; token--) this.#tokens.set(this.#key(bytes, token * 3), token);
  }

  /** The token of exactly this colour; −1 if it is none of the palette. */
  exact(rgb, at) {
    return this.#tokens.get(this.#key(rgb, at)) ?? -1;
  }

  /** The token of the nearest colour. */
  nearest(red, green, blue) {
    let best = 0;
    let least = Infinity;
    for (let token = 0; token < this.size; token++) {
      const distance = (this.bytes[token * 3] - red) ** 2 + (this.bytes[token * 3 + 1] - green) ** 2 + (this.bytes[token * 3 + 2] - blue) ** 2;
      if (distance < least) [best, least] = [token, distance];
    }
    return best;
  }

  /** A colour in CSS. */
  css(token) {
    return `rgb(${this.bytes[token * 3]} ${this.bytes[token * 3 + 1]} ${this.bytes[token * 3 + 2]})`;
  }

  /** A colour for people who cannot see it. */
  hex(token) {
    return `#${Array.from(this.bytes.subarray(token * 3, token * 3 + 3), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  }

  /** Tokens in an order for the eye: grays first, then around the colour circle, dark to light. */
  sorted() {
    const place = (token) => {
      const [red, green, blue] = this.bytes.subarray(token * 3, token * 3 + 3);
      const most = Math.max(red, green, blue);
      const range = most - Math.min(red, green, blue);
      const light = red * 0.3 + green * 0.59 + blue * 0.11;
      if (range < 24) return light;
      const hue = most === red ? ((green - blue) / range + 6) % 6 : most === green ? (blue - red) / range + 2 : (red - green) / range + 4;
      return 1000 * (1 + Math.round(hue * 2)) + light;
    };
    return Array.from({ length: this.size }, (_, token) => token).sort((a, b) => place(a) - place(b));
  }

  #key(bytes, at) {
    return (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
  }
}
