// A box over the camera's picture: dragged, moved by arrow keys, kept by the server. All numbers are shares of the picture.

import { ask, Away, Refused } from "./server.js";

const PICTURE_MS = 1000;
const STEP = 0.01;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const WHOLE = [0, 0, 1, 1];
const by = (id) => document.getElementById(id);
const least = Number(by("box").dataset.least);
const within = (value, low, high) => Math.min(Math.max(value, low), high);
const percent = (share) => `${Math.round(100 * share)} %`;
const style = (share) => `${100 * share}%`;

let box = WHOLE;
let grip = null;

function draw() {
  const [x, y, width, height] = box;
  Object.assign(by("box").style, { left: style(x), top: style(y), width: style(width), height: style(height) });
  by("where").textContent = isWhole() ? "The whole picture"
    : `Left ${percent(x)}, top ${percent(y)}, width ${percent(width)}, height ${percent(height)}`;
}

const isWhole = () => box.every((value, at) => Math.abs(value - WHOLE[at]) < 0.0005);

function put(text) {
  box = text ? text.split(",").map(Number) : WHOLE;
  draw();
}

/** Move the edges that `edge` names (n, e, s, w; all: the whole box) by so much of a `start`. */
function pulled(start, edge, dx, dy) {
  let [left, top, right, bottom] = [start[0], start[1], start[0] + start[2], start[1] + start[3]];
  if (edge === "all") {
    const x = within(left + dx, 0, 1 - start[2]), y = within(top + dy, 0, 1 - start[3]);
    return [x, y, start[2], start[3]];
  }
  if (edge.includes("w")) left = within(left + dx, 0, right - least);
  if (edge.includes("e")) right = within(right + dx, left + least, 1);
  if (edge.includes("n")) top = within(top + dy, 0, bottom - least);
  if (edge.includes("s")) bottom = within(bottom + dy, top + least, 1);
  return [left, top, right - left, bottom - top];
}

/** Round down to thousandths, so that the box stays within the picture. */
function text() {
  const [x, y] = box.slice(0, 2).map((value) => Math.round(1000 * value) / 1000);
  const size = [Math.min(box[2], 1 - x), Math.min(box[3], 1 - y)].map((value) => Math.floor(1000 * value + 0.001) / 1000);
  return isWhole() ? "" : [x, y, ...size].join(",");
}

async function tell(path, body, words) {
  try {
    const said = await ask(path, body);
    put(said.region);
    by("told").textContent = [words, said.words].filter(Boolean).join(" ");
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof Away)) throw error;
    by("told").textContent = error.message;
  }
}

function nextPicture() {
  const image = new Image();
  const again = () => setTimeout(nextPicture, PICTURE_MS);
  image.onload = () => {
    by("seen").src = image.src;
    again();
  };
  image.onerror = again;
  if (document.visibilityState === "visible") image.src = `/api/region/picture?at=${Date.now()}`;
  else again();
}

by("seen").addEventListener("load", () => (by("box").hidden = false)); // not before the stage has its size
by("box").addEventListener("pointerdown", (event) => {
  grip = { edge: event.target.dataset.edge ?? "all", x: event.clientX, y: event.clientY, start: box };
  by("box").setPointerCapture(event.pointerId);
});
by("box").addEventListener("pointermove", (event) => {
  if (!grip) return;
  const { width, height } = by("stage").getBoundingClientRect();
  box = pulled(grip.start, grip.edge, (event.clientX - grip.x) / width, (event.clientY - grip.y) / height);
  draw();
});
for (const end of ["pointerup", "pointercancel"]) by("box").addEventListener(end, () => (grip = null));
by("box").addEventListener("keydown", (event) => {
  const arrow = ARROWS[event.key];
  if (!arrow) return;
  event.preventDefault();
  box = pulled(box, event.shiftKey ? "se" : "all", STEP * arrow[0], STEP * arrow[1]);
  draw();
});
by("save").addEventListener("click", () => tell("/api/region", { region: text() }, "Kept."));
by("whole").addEventListener("click", () => tell("/api/region", { region: "" }, "Kept."));
by("propose").addEventListener("click", () => tell("/api/region/proposal", undefined, "Found; keep it, or move it first."));

const state = JSON.parse(by("state").textContent);
put(state.region);
by("told").textContent = state.words;
nextPicture();
document.body.dataset.ready = "yes";
