// From a picture to the tensor a network takes, as it is done for evaluation in Python.

import { resized } from "./resize.mjs";

const LONGEST = 100; // times as long as wide; the preparation of a thinner strip would fill the memory

/** A reason for people why a picture cannot be used. */
export class Unfit extends Error {}

/** The pixels of a picture or of a video's frame, transparent parts on white. */
export function pixelsOf(source, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/** A picture's file, decoded: upright, and its colors as they are written. */
export async function decoded(blob, name) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" }).catch(() => {
    throw new Unfit(`${name} is not a picture that this browser can read; take a JPEG, PNG or WebP.`);
  });
  const { width, height } = bitmap;
  if (Math.max(width, height) > LONGEST * Math.min(width, height)) {
    throw new Unfit(`${name} is a strip of ${width} x ${height} pixels; sides may differ ${LONGEST}-fold at most.`);
  }
  return bitmap;
}

/** Covered by the picture, which keeps its proportions; what is over is cut off around the middle. */
export function covered(pixels, preprocessing) {
  const [height, width] = preprocessing.size;
  const whole = resized(pixels, covering(pixels, preprocessing), preprocessing.interpolation);
  const left = toEven((whole.width - width) / 2);
  const top = toEven((whole.height - height) / 2);
  return tensor(whole, { left, top, width, height }, preprocessing);
}

/** The whole picture, stretched. */
export function stretched(pixels, preprocessing) {
  const [height, width] = preprocessing.size;
  const whole = resized(pixels, { width, height }, preprocessing.interpolation);
  return tensor(whole, { left: 0, top: 0, width, height }, preprocessing);
}

function covering({ width, height }, { size, crop }) {
  const [tall, wide] = size.map((side) => toEven(side / crop));
  if (width * tall <= height * wide) return { width: wide, height: Math.floor((wide * height) / width) };
  return { width: Math.floor((tall * width) / height), height: tall };
}

// Python rounds halves to the even neighbor.
function toEven(x) {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

// Values 0..1, less the mean, divided by the deviation; channel after channel.
function tensor({ data, width: line }, { left, top, width, height }, { mean, std }) {
  const channels = mean.length;
  const out = new Float32Array(channels * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to++) {
      const at = 4 * ((top + y) * line + left + x);
      const values = channels === 3 ? [data[at], data[at + 1], data[at + 2]] : [grey(data, at)];
      for (let c = 0; c < channels; c++) out[c * width * height + to] = (values[c] / 255 - mean[c]) / std[c];
    }
  }
  return { data: out, shape: [1, channels, height, width] };
}

// Luma of ITU-R 601-2 in whole numbers of 16 bits, as Pillow's.
function grey(data, at) {
  return (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
}
