// The page: takes pictures in, has the file look at them one after another, and tells what it says.

import { Unfit, decoded, pixelsOf } from "./prepare.mjs";
import { TASKS } from "./tasks.mjs";

const SIDE = 640; // pixels of the longer side of the picture as it is drawn
const SPEAK = 2000; // ms from one sentence to the next for who listens to the camera
const at = (id) => document.getElementById(id);

const facts = await fetch("demo.json")
  .then((found) => found.json())
  .catch((error) => {
    at("headline").textContent = "demo.json cannot be read";
    at("under").textContent = "The folder of this page is not whole; make it again by mobilevision demo.";
    throw error;
  });
const task = TASKS[facts.task.task];
const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
let newest = 0; // of several pictures that are given at once the last is told
let stream = null; // of the camera, while it is on
let spoken = 0;

// The network

async function load() {
  const { open } = await import(facts.runtime);
  const run = await open(facts.file);
  const { size, mean } = facts.preprocessing;
  const shape = [1, mean.length, ...size];
  await run({ data: new Float32Array(mean.length * size[0] * size[1]), shape }); // the first is slow
  return run;
}

const loaded = load();
let last = loaded.catch(() => {}); // a runtime looks at one picture at a time

function look(pixels, sample = null) {
  const said = last.then(async () => {
    const run = await loaded;
    const start = performance.now();
    const prepared = task.prepare(pixels, facts.preprocessing);
    const ready = performance.now();
    const output = await run(prepared);
    const end = performance.now();
    return { told: task.read(output, facts, sample), prepared: ready - start, ran: end - ready };
  });
  last = said.catch(() => {});
  return said;
}

// Pictures

async function take(blob, name, sample = null) {
  const number = ++newest;
  const start = performance.now();
  stopCamera();
  try {
    const bitmap = await decoded(blob, name);
    const found = await look(pixelsOf(bitmap, bitmap.width, bitmap.height), sample);
    if (number !== newest) return;
    draw(bitmap, bitmap.width, bitmap.height, found.told);
    tell(found);
    agree(found.told, sample);
    at("whole-name").textContent = "All in all";
    at("whole").textContent = milliseconds(performance.now() - start);
  } catch (error) {
    if (number === newest) fail(error);
  }
}

async function film() {
  if (!navigator.mediaDevices) {
    return fail(new Unfit("The camera needs a page from this machine or over https; give a picture instead."));
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    return fail(new Unfit(REFUSED[error.name] ?? `The camera cannot be used (${error.message}); give a picture instead.`));
  }
  const [mine, number] = [stream, ++newest];
  at("camera").textContent = "Stop the camera";
  at("camera").setAttribute("aria-pressed", "true");
  video.srcObject = mine;
  try {
    await video.play();
    for (let before = performance.now(); stream === mine; ) {
      const { videoWidth: width, videoHeight: height } = video;
      const found = await look(pixelsOf(video, width, height));
      if (number !== newest) break;
      draw(video, width, height, found.told);
      tell(found);
      agree(found.told, null);
      await new Promise(requestAnimationFrame);
      at("whole-name").textContent = "Pictures a second";
      at("whole").textContent = (1000 / (performance.now() - before)).toFixed(1);
      before = performance.now();
    }
  } catch (error) {
    if (stream === mine) fail(error);
    stopCamera();
  }
}

const REFUSED = {
  NotAllowedError: "The camera was refused; allow it beside the page's address, or give a picture instead.",
  NotFoundError: "There is no camera here; give a picture instead.",
  NotReadableError: "The camera is in use by another program; close that, or give a picture instead.",
};

function stopCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  at("camera").textContent = "Use the camera";
  at("camera").setAttribute("aria-pressed", "false");
}

// Telling

function draw(source, width, height, told) {
  const canvas = at("picture");
  const scale = SIDE / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  task.draw(context, told);
  canvas.hidden = false;
  at("hint").hidden = true;
}

function tell({ told, prepared, ran }) {
  const { best } = told;
  const headline = best ? `${best.label}: ${percent(best.score)}` : "Nothing found";
  at("headline").textContent = best ? best.label : "Nothing found";
  at("under").textContent = best ? `with a ${task.scores} of ${percent(best.score)}` : "that the network is sure of";
  at("picture").setAttribute("aria-label", `The picture: ${headline}`);
  at("trouble").hidden = true;
  at("times").hidden = false;
  at("prepared").textContent = milliseconds(prepared);
  at("ran").textContent = milliseconds(ran);
  at("rows").replaceChildren(...told.rows.map(row));
  if (!stream || performance.now() - spoken > SPEAK) {
    at("spoken").textContent = headline;
    spoken = performance.now();
  }
}

function row({ label, score, color, picture }) {
  const line = document.createElement("li");
  line.dataset.label = label;
  line.dataset.score = score;
  const name = line.appendChild(document.createElement("span"));
  if (picture) name.append(Object.assign(document.createElement("img"), { src: picture, alt: "" }), " ");
  name.append(label);
  line.appendChild(document.createElement("span")).textContent = percent(score);
  const bar = line.appendChild(document.createElement("span"));
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  const share = bar.appendChild(document.createElement("span"));
  share.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
  if (color) share.style.background = color;
  return line;
}

function agree(found, sample) {
  const [line, canTell] = [at("agreement"), facts.samples.length > 0];
  line.hidden = !sample && (!canTell || Boolean(stream));
  line.className = "soft";
  line.removeAttribute("data-difference");
  if (!sample) {
    line.textContent = "What Python says of this picture is not known here; pick a sample to compare.";
    return;
  }
  const { same, most } = task.apart(found, sample.said);
  const agrees = same && most <= task.near;
  const apart = most ? `no number differs by more than ${most.toExponential(1)}` : "all numbers are the same";
  const told = agrees ? `Agrees with Python: the same answer, and ${apart}.` : disagreement(same, most, sample);
  line.textContent = sample.truth ? `${told} In truth: ${sample.truth}.` : told;
  line.className = agrees ? "good" : "bad";
  line.dataset.difference = most;
}

function disagreement(same, most, { words }) {
  const why = same ? `: the same answer, but a number differs by ${most.toExponential(1)}` : `, which says ${words}`;
  return `Does not agree with Python${why}.`;
}

function fail(error) {
  const known = error instanceof Unfit;
  at("trouble").textContent = known ? error.message : `This did not work: ${error.message ?? error}.`;
  at("trouble").hidden = false;
}

const percent = (score) => `${(100 * score).toFixed(1)} %`;
const milliseconds = (time) => `${time < 100 ? time.toPrecision(2) : Math.round(time)} ms`;

// What a person does

function given(list, name) {
  const [file] = list;
  if (file) take(file, file.name || name);
}

at("file").addEventListener("change", ({ target }) => {
  given(target.files, "That file");
  target.value = ""; // so that the same file can be chosen again
});
at("camera").addEventListener("click", () => (stream ? stopCamera() : film()));
at("samples")?.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const sample = facts.samples[button.dataset.place];
  const blob = await (await fetch(sample.file)).blob();
  take(blob, "The sample", sample);
});
document.addEventListener("paste", ({ clipboardData }) => given(clipboardData.files, "What was pasted"));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("stage").classList.add("over");
});
document.addEventListener("dragleave", () => at("stage").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("stage").classList.remove("over");
  given(event.dataTransfer.files, "What was dropped");
});

loaded.then(
  () => {
    document.documentElement.dataset.ready = "";
    if (newest) return;
    at("headline").textContent = "Ready";
    at("under").textContent = "Give it a picture.";
  },
  (error) => {
    at("headline").textContent = "The network could not be loaded";
    at("under").textContent = "";
    fail(error);
  },
);
