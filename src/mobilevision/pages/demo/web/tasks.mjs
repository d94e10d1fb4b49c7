// What a file's output means, task by task: rows to tell, what is drawn over the picture, how far from what Python said.
//
// Each task has
//   prepare(pixels, preprocessing)   the tensor
//   read(output, facts, sample)      { rows: [{ label, score }], best, ... }; scores are shares, 0 to 1; `best` is a row, or none
//   draw(context, told)              over the picture, which fills the canvas
//   apart(told, said)                { same, most }: the same answer as `said`? by how much does a score differ at most?
//   scores                           what the scores are called
//   near                             scores that differ by less, from the same pixels, agree

import { covered, stretched } from "./prepare.mjs";

const COLORS = ["#e6194b", "#0082c8", "#f58231", "#3cb44b", "#911eb4", "#008080", "#d4a900", "#f032e6"];
const LETTERS = 22; // pixels of the names of boxes

const colorOf = (place) => COLORS[place % COLORS.length];

const maskColor = (place) => (place ? colorOf(place - 1) : ""); // the first class is the background

const classify = {
  scores: "probability",
  near: 1e-3,
  prepare: covered,
  read({ data }, { task, shown }) {
    const chances = task.multilabel ? Array.from(data, sigmoid) : softmax(data);
    const rows = chances.map((score, place) => ({ label: task.labels[place], score }));
    rows.sort((a, b) => b.score - a.score);
    return { rows: rows.slice(0, shown), best: rows[0], all: new Map(rows.map((row) => [row.label, row.score])) };
  },
  draw() {},
  apart({ rows, all }, said) {
    const most = Math.max(...said.labels.map((label, place) => Math.abs(all.get(label) - said.scores[place])));
    return { same: rows[0].label === said.labels[0], most };
  },
};

const detect = {
  scores: "probability",
  near: 1e-3,
  prepare: stretched,
  read({ data }, { task }) {
    const boxes = [];
    for (let at = 0; at < data.length; at += 6) {
      const [left, top, right, bottom, score, number] = data.subarray(at, at + 6);
      const place = Math.round(number);
      const named = { label: task.labels[place], score, color: colorOf(place) };
      if (score > task.sure) boxes.push({ left, top, right, bottom, ...named });
    }
    boxes.sort((a, b) => b.score - a.score);
    return { rows: boxes, best: boxes[0], boxes };
  },
  draw(context, { boxes }) {
    const { width, height } = context.canvas;
    context.lineWidth = 4;
    context.font = `600 ${LETTERS}px system-ui, sans-serif`;
    for (const { left, top, right, bottom, label, color } of boxes.toReversed()) {
      const [x, y] = [left * width, top * height];
      context.strokeStyle = context.fillStyle = color;
      context.strokeRect(x, y, (right - left) * width, (bottom - top) * height);
      const under = Math.max(0, y - 1.4 * LETTERS);
      context.fillRect(x - 2, under, context.measureText(label).width + 12, 1.4 * LETTERS);
      context.fillStyle = "white";
      context.fillText(label, x + 4, under + 1.05 * LETTERS);
    }
  },
  apart({ boxes }, said) {
    const same = boxes.length === said.labels.length && boxes.every((box, i) => box.label === said.labels[i]);
    const count = Math.min(boxes.length, said.scores.length);
    const ours = boxes.slice(0, count).flatMap(({ left, top, right, bottom, score }) => [left, top, right, bottom, score]);
    const theirs = said.scores.slice(0, count).flatMap((score, i) => [...said.boxes[i], score]);
    return { same, most: Math.max(0, ...ours.map((number, i) => Math.abs(number - theirs[i]))) };
  },
};

const segment = {
  scores: "share of the picture",
  near: 1e-3,
  prepare: stretched,
  read({ data, dims }, { task }) {
    const mask = dims.length === 4 ? likeliest(data, dims) : Uint8Array.from(data, Math.round);
    const [height, width] = dims.slice(-2);
    const counts = new Array(task.labels.length).fill(0);
    for (const place of mask) counts[place]++;
    const rows = counts.map((count, place) => ({ label: task.labels[place], score: count / mask.length, color: maskColor(place) }));
    rows.sort((a, b) => b.score - a.score);
    const there = rows.filter((row) => row.score);
    return { rows: there, best: there.find((row) => row.color), mask, width, height };
  },
  draw(context, { mask, width, height }) {
    const colors = new ImageData(width, height);
    const words = new DataView(colors.data.buffer);
    mask.forEach((place, at) => {
      if (maskColor(place)) words.setUint32(4 * at, parseInt(maskColor(place).slice(1), 16) * 256 + 140);
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
  near: 1e-3,
  prepare: covered,
  read({ data }, { samples, shown }, itself) {
    const others = samples.filter((sample) => sample !== itself);
    const rows = others.map((sample, place) => ({
      label: sample.truth || `sample ${place + 1}`,
      picture: sample.file,
      score: sample.said.vector.reduce((sum, number, i) => sum + number * data[i], 0),
    }));
    rows.sort((a, b) => b.score - a.score);
    return { rows: rows.slice(0, shown), best: rows[0], vector: Array.from(data) };
  },
  draw() {},
  apart({ vector }, said) {
    const most = Math.max(...vector.map((number, place) => Math.abs(number - said.vector[place])));
    return { same: most < this.near, most };
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
