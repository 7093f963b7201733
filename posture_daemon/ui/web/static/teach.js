// Shows a teaching: asks how it goes a few times a second, and for the newest picture as soon as the one before is there.

import { ask, Away, Refused } from "./server.js";

const LOOK_MS = 200;
const PICTURE_MS = 150;
const by = (id) => document.getElementById(id);
const DOING = { "get ready": "get ready", "hold it": "hold it", training: "learning …", "first look": "first look …" };

let busy = false;

function show(state) {
  busy = Boolean(state.busy) || state.phase === "opening";
  const capturing = state.phase === "get ready" || state.phase === "hold it";
  by("start").hidden = busy;
  by("stop").hidden = !busy;
  by("intro").hidden = state.phase !== null;
  by("start").querySelector("span").textContent = state.over ? "Once more" : "Begin";
  by("sentence").textContent = sentence(state);
  by("count").hidden = !busy || state.phase === "opening";
  by("doing").textContent = DOING[state.phase] ?? "";
  by("left").textContent = capturing ? Math.ceil(state.seconds_left) : "";
  if (capturing) by("pose").value = 1 - state.seconds_left / state.seconds;
  else by("pose").removeAttribute("value");
  by("pose-number").textContent = capturing ? `Pose ${state.number} of ${state.of}` : "";
  list(by("kept"), Object.entries(state.frames ?? {}), state.posture_class);
  say(by("said"), state.words ?? []);
  warn(state.over ? null : state.problem);
}

function sentence(state) {
  if (state.phase === null) return "Teach it in a minute";
  if (state.phase === "opening") return "Looking for the camera …";
  if (state.over) return state.phase === "done" ? "Done. Thank you." : "Stopped.";
  return state.sentence ?? "Thank you. You can sit as you like.";
}

function list(at, frames, current) {
  const words = JSON.stringify([frames, current]);
  if (at.dataset.words === words) return;
  at.dataset.words = words;
  at.replaceChildren(...frames.map(([name, count]) => {
    const item = document.createElement("li");
    const number = document.createElement("b");
    number.textContent = count;
    item.append(name, " ", number);
    if (name === current) item.setAttribute("aria-current", "step");
    return item;
  }));
}

function say(at, words) {
  at.hidden = words.length === 0;
  if (at.childElementCount === words.length) return;
  at.replaceChildren(...words.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function warn(words) {
  by("away").hidden = !words;
  by("away").textContent = words ?? "";
}

async function tell(path, body) {
  try {
    show(await ask(path, body));
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof Away)) throw error;
    warn(error.message);
  }
}

function nextPicture() {
  const image = new Image();
  const again = () => setTimeout(nextPicture, busy ? PICTURE_MS : 4 * PICTURE_MS);
  image.onload = () => {
    by("live").src = image.src;
    by("live").hidden = false;
    again();
  };
  image.onerror = again;
  if (busy) image.src = `/api/teach/picture?at=${Date.now()}`;
  else again();
}

async function look() {
  await tell("/api/teach");
  setTimeout(look, busy ? LOOK_MS : 5 * LOOK_MS);
}

by("start").addEventListener("click", () => tell("/api/teach", {}));
by("stop").addEventListener("click", () => tell("/api/teach/stop", {}));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && busy) by("stop").click();
  if (event.key === "Enter" && !busy && event.target === document.body) by("start").click();
});
show(JSON.parse(by("state").textContent));
look();
nextPicture();
document.body.dataset.ready = "yes";
