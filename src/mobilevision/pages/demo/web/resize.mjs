// Resizing with antialiasing, to the very bits of Pillow's: browsers' own resizing differs from it and from each other.
// A filter is as wide as the shrinking; weights are whole numbers of 22 bits; each of the two passes rounds to a byte.

const BITS = 22;
const HALF = 1 << (BITS - 1); // so that what is cut off rounds

const FILTERS = {
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, weight: (x) => cubic(Math.abs(x), -0.5) },
};

function cubic(x, a) {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// For each new pixel of a line: where the old ones begin that it is made of, and their weights.
function taps(from, to, filter) {
  const scale = from / to;
  const wide = Math.max(1, scale);
  const reach = filter.reach * wide;
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const last = Math.min(from, Math.trunc(center + reach + 0.5));
    const weights = Array.from({ length: last - first }, (_, i) => filter.weight((first + i - center + 0.5) / wide));
    const sum = weights.reduce((a, b) => a + b, 0);
    const whole = weights.map((w) => Math.trunc((w / sum) * 2 ** BITS + (w < 0 ? -0.5 : 0.5)));
    return { first, weights: Int32Array.from(whole) };
  });
}

// Lines of `from` pixels become lines of `to` pixels; `line` and `newLine` bytes are from line to line, `apart` from pixel
// to pixel: rows and columns are both lines.
function pass(pixels, { lines, line, newLine, apart, from, to, filter }) {
  const out = new Uint8ClampedArray(lines * to * 4); // clamps what a cubic overshoots
  const made = taps(from, to, filter);
  for (let i = 0; i < lines; i++) {
    for (let place = 0; place < to; place++) {
      const { first, weights } = made[place];
      let r = HALF;
      let g = HALF;
      let b = HALF;
      for (let j = 0, at = i * line + first * apart; j < weights.length; j++, at += apart) {
        r += pixels[at] * weights[j];
        g += pixels[at + 1] * weights[j];
        b += pixels[at + 2] * weights[j];
      }
      const end = i * newLine + place * apart;
      out[end] = r >> BITS;
      out[end + 1] = g >> BITS;
      out[end + 2] = b >> BITS;
      out[end + 3] = 255;
    }
  }
  return out;
}

/** Opaque RGBA pixels at another size; `interpolation` is "bilinear" or "bicubic". */
export function resized({ data, width, height }, size, interpolation) {
  const filter = FILTERS[interpolation];
  let pixels = data;
  if (size.width !== width) {
    const rows = { lines: height, line: width * 4, newLine: size.width * 4, apart: 4 };
    pixels = pass(pixels, { ...rows, from: width, to: size.width, filter });
  }
  if (size.height !== height) {
    const columns = { lines: size.width, line: 4, newLine: 4, apart: size.width * 4 };
    pixels = pass(pixels, { ...columns, from: height, to: size.height, filter });
  }
  return { data: pixels, ...size };
}
