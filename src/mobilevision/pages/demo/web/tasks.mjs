// What a file's output means, task by task: rows to tell, what is drawn over the picture, how far from what Python said.
//
// Each task has
//   prepare(pixels, preprocessing)   the tensor
//   read(output, facts)              { rows: [{ label, score }], ... }; a score is a share, 0 to 1
//   draw(context, told)              over the picture, which fills the canvas
//   apart(told, said)                { same, most }: the same answer as `said`? by how much does a score differ at most?
//   scores                           what the scores are called

import { covered, stretched } from "./prepare.mjs";

const COLORS = ["#e6194b", "#0082c8", "#f58231", "#3cb44b", "#911eb4", "#008080", "#d4a900", "#f032e6"];

/** The color of a class, by its place. */
export const colorOf = (place) => COLORS[place % COLORS.length];

const classify = {
  scores: "probability",
  prepare: covered,
  read({ data }, { task, shown }) {
    const chances = task.multilabel ? Array.from(data, sigmoid) : softmax(data);
    const rows = chances.map((score, place) => ({ label: task.labels[place], score }));
    rows.sort((a, b) => b.score - a.score);
    return { rows: rows.slice(0, shown), all: new Map(rows.map((row) => [row.label, row.score])) };
  },
  draw() {},
  apart({ rows, all }, said) {
    const most = Math.max(...said.labels.map((label, place) => Math.abs(all.get(label) - said.scores[place])));
    return { same: rows[0].label === said.labels[0], most };
  },
};

const detect = {
  scores: "probability",
  prepare: stretched,
  read({ data }, { task }) {
    const boxes = [];
    for (let at = 0; at < data.length; at += 6) {
      const [left, top, right, bottom, score, place] = data.subarray(at, at + 6);
      if (score > task.sure) boxes.push({ left, top, right, bottom, score, place, label: task.labels[Math.round(place)] });
    }
    boxes.sort((a, b) => b.score - a.score);
    return { rows: boxes, boxes };
  },
  draw(context, { boxes }) {
    const { width, height } = context.canvas;
    context.lineWidth = 3;
    context.font = "600 15px system-ui, sans-serif";
    for (const { left, top, right, bottom, label, place } of boxes) {
      const [x, y] = [left * width, top * height];
      context.strokeStyle = context.fillStyle = colorOf(place);
      context.strokeRect(x, y, (right - left) * width, (bottom - top) * height);
      const under = Math.max(0, y - 20);
      context.fillRect(x - 1.5, under, context.measureText(label).width + 12, 20);
      context.fillStyle = "white";
      context.fillText(label, x + 4, under + 15);
    }
  },
  apart({ boxes }, said) {
    const same = boxes.length === said.labels.length && boxes.every((box, i) => box.label === said.labels[i]);
    const count = Math.min(boxes.length, said.scores.length);
    return { same, most: Math.max(0, ...boxes.slice(0, count).map((box, i) => Math.abs(box.score - said.scores[i]))) };
  },
};

const segment = {
  scores: "share of the picture",
  prepare: stretched,
  read({ data, dims }, { task }) {
    const mask = dims.length === 4 ? likeliest(data, dims) : Uint8Array.from(data, Math.round);
    const [height, width] = dims.slice(-2);
    const counts = new Array(task.labels.length).fill(0);
    for (const place of mask) counts[place]++;
    const rows = counts.map((count, place) => ({ label: task.labels[place], score: count / mask.length, place }));
    rows.sort((a, b) => b.score - a.score);
    return { rows: rows.filter((row) => row.score), mask, width, height };
  },
  draw(context, { mask, width, height }) {
    const colors = new ImageData(width, height);
    const words = new DataView(colors.data.buffer);
    mask.forEach((place, at) => {
      if (place) words.setUint32(4 * at, parseInt(colorOf(place).slice(1), 16) * 256 + 140); // the first is background
    });
    const small = new OffscreenCanvas(width, height);
    small.getContext("2d").putImageData(colors, 0, 0);
    context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
  },
  apart({ rows }, said) {
    const shares = new Map(rows.map((row) => [row.label, row.score]));
    const labels = new Set([...shares.keys(), ...Object.keys(said.shares)]);
    const most = Math.max(...[...labels].map((l) => Math.abs((shares.get(l) ?? 0) - (said.shares[l] ?? 0))));
    return { same: rows[0].label === Object.keys(said.shares)[0], most };
  },
};

const embed = {
  scores: "likeness (cosine)",
  prepare: covered,
  read({ data }, { samples, shown }) {
    const rows = samples.map((sample, place) => ({
      label: sample.truth || `sample ${place + 1}`,
      picture: sample.file,
      score: sample.said.vector.reduce((sum, number, i) => sum + number * data[i], 0),
    }));
    rows.sort((a, b) => b.score - a.score);
    return { rows: rows.slice(0, shown), vector: Array.from(data) };
  },
  draw() {},
  apart({ vector }, said) {
    const most = Math.max(...vector.map((number, place) => Math.abs(number - said.vector[place])));
    return { same: most < 0.02, most };
  },
};

/** The tasks by name. */
export const TASKS = { classify, detect, segment, embed };

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function softmax(scores) {
  const highest = scores.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(scores, (score) => Math.exp(score - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// The best class of each pixel, from scores of shape (1, classes, h, w).
function likeliest(data, [, classes, height, width]) {
  const pixels = height * width;
  return Uint8Array.from({ length: pixels }, (_, at) => {
    let best = 0;
    for (let place = 1; place < classes; place++) if (data[place * pixels + at] > data[best * pixels + at]) best = place;
    return best;
  });
}
