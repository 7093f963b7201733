// Shows a teaching: asks how it goes a few times a second, and for the newest picture as soon as the one before is there.

import { ask, Away, Refused } from "./server.js";
import { Plan } from "./teach_plan.js";
import { drawSheet, toDrop } from "./teach_sheet.js";

const LOOK_MS = 200;
const PICTURE_MS = 150;
const by = (id) => document.getElementById(id);
const DOING = {
  "get ready": "get ready", "hold it": "hold it", "look at them": "look at them", training: "learning …", "first look": "first look …", live: "live",
};
const CAPTURING = ["get ready", "hold it"];
const LOOKING = ["look at them", "live"];

let busy = false;
let now = { phase: null };
let again = [];

function show(state) {
  now = state;
  busy = Boolean(state.busy) || state.phase === "opening";
  again = state.again ?? [];
  by("start").hidden = busy;
  by("stop").hidden = !busy || state.phase === "live";
  by("go-on").hidden = !LOOKING.includes(state.phase);
  by("go-on").querySelector("span").textContent = state.phase === "live" ? "That will do" : "Go on, and learn";
  by("again").hidden = busy || again.length === 0;
  by("start").querySelector("kbd").hidden = again.length > 0; // Enter is for what was not seen
  by("again").querySelector("span").textContent = `Show ${again.join(", ")} once more`;
  by("plan").hidden = busy;
  by("start").querySelector("span").textContent = state.over ? "Once more" : "Begin";
  by("sentence").textContent = sentence(state);
  by("sees").textContent = state.says ?? "";
  count(state);
  list(by("kept"), Object.entries(state.frames ?? {}), CAPTURING.includes(state.phase) ? state.posture_class : null);
  say(by("said"), state.words?.length ? state.words : state.doubts ?? []);
  drawSheet(state.sheet ?? {});
  by("frame").hidden = state.phase === "look at them" || (!busy && by("live").hidden);
  warn(state.over ? null : state.problem);
}

function count(state) {
  const capturing = CAPTURING.includes(state.phase), looking = LOOKING.includes(state.phase);
  by("count").hidden = !busy || state.phase === "opening";
  by("doing").textContent = DOING[state.phase] ?? "";
  by("left").textContent = capturing || looking ? Math.ceil(state.seconds_left) : state.phase === "training" ? Math.floor(state.learning_s) : "";
  if (capturing) by("pose").value = 1 - state.seconds_left / state.seconds;
  else by("pose").removeAttribute("value");
  by("pose").hidden = looking;
  by("pose-number").textContent = capturing ? `Pose ${state.number} of ${state.of}` : "";
}

function sentence(state) {
  if (state.phase === null) return "Teach it how you sit";
  if (state.phase === "opening") return "Looking for the camera …";
  if (state.over) return state.phase === "done" ? "Done. Thank you." : "Stopped.";
  if (state.phase === "look at them") return "Look at these before it learns from them.";
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
  const text = JSON.stringify(words);
  if (at.dataset.words === text) return;
  at.dataset.words = text;
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
    by("frame").hidden = now.phase === "look at them";
    again();
  };
  image.onerror = again;
  if (document.visibilityState === "visible") image.src = `/api/teach/picture?at=${Date.now()}`;
  else again();
}

async function look() {
  await tell("/api/teach");
  setTimeout(look, busy ? LOOK_MS : 5 * LOOK_MS);
}

async function replan(names) {
  const query = names.map((name) => `class=${encodeURIComponent(name)}`).join("&");
  try {
    const reply = names.length ? await ask(`/api/teach/plan?${query}`) : null;
    if (plan.names.join() === names.join()) plan.tell(reply); // a later tick may have been answered first
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof Away)) throw error;
    warn(error.message);
  }
}

const plan = new Plan(JSON.parse(by("lesson").textContent), replan);
by("start").addEventListener("click", () => tell("/api/teach", { classes: plan.names }));
by("again").addEventListener("click", () => tell("/api/teach", { classes: again }));
by("go-on").addEventListener("click", () => tell("/api/teach/go-on", { drop: toDrop() }));
by("stop").addEventListener("click", () => tell("/api/teach/stop", {}));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && busy) by(now.phase === "live" ? "go-on" : "stop").click();
  if (event.key !== "Enter" || event.target !== document.body) return;
  if (LOOKING.includes(now.phase)) by("go-on").click();
  else if (!busy) by(again.length ? "again" : "start").click();
});
show(JSON.parse(by("state").textContent));
look();
nextPicture();
document.body.dataset.ready = "yes";
