// The label page: the next question is shown at once, and the answer to the last one follows to the server.

import { Feed } from "./feed.js";
import { actionOf, mayRepeat } from "./keys.js";
import { Pictures } from "./pictures.js";
import { Questions } from "./questions.js";
import { Selection } from "./selection.js";
import { Away, Outbox, ask, stored } from "./server.js";
import { Undo } from "./undo.js";
import * as view from "./view.js";

const { find } = view;
const LOOK_MS = 10000; // how often to look for news while nothing happens
const [SETTLE_MS, RETRY_MS] = [500, 1000];

/** What the server said last, and the timer of the next look at it. */
const page = { state: JSON.parse(find("state").textContent), timer: 0 };
const selection = new Selection();
const questions = new Questions();
const pictures = new Pictures(pictureFailed);
const outbox = new Outbox({ sent, refused, away, back });
const feed = new Feed(questions, { arrived, failed: trouble });
const undoing = new Undo(outbox, { undone, redone, again: answerAgain, asks, failed: (error) => trouble(error, true), perform });
const count = () => questions.shown?.frames.length ?? 0;
const guessOf = (group) => (page.state.classes.some((known) => known.name === group.guess) ? group.guess : null);

// --- questions

function show() {
  const group = questions.shown;
  find("apart").disabled = count() < 2;
  if (!group) {
    view.zoom(false);
    if (feed.loaded) view.showNothing(feed.skipped, !find("away").hidden, page.state.camera);
    return;
  }
  selection.clamp(count());
  const { cursor, apart } = selection;
  const frame = group.frames[cursor];
  view.showFrame(group, cursor, pictures.trouble(frame) ?? pictures.of(frame));
  view.showStrip(group, cursor, apart);
  view.showWords(group, cursor, apart, guessOf(group));
}

/** Show the question at `to`, from its first frame. */
function go(to) {
  questions.position = to;
  selection.reset();
  show();
  requestAnimationFrame(() => setTimeout(prepare)); // what is fetched ahead must not delay what is painted now
}

function prepare() {
  pictures.prepare(questions.groups.slice(questions.position));
  feed.topUp();
}

function arrived(wasEmpty) {
  if (wasEmpty) go(0);
  else pictures.prepare(questions.groups.slice(questions.position));
}

function pictureFailed(frame, status) {
  if (status === 404) {
    if (!questions.drop(frame)) return;
    view.showMessage(`Frame ${frame.id} is gone from the queue: it made room for others.`, "problem");
    go(questions.position);
    return;
  }
  if (questions.shown?.frames[selection.cursor] === frame) show();
  if (status === 0) look(RETRY_MS);
}

// --- answers

/** Answer the frames that were not set apart. */
function answer(path, more, words) {
  if (!questions.shown) return;
  const group = questions.take(selection.apart);
  if (!group) {
    view.showMessage("All frames are set apart, so none is answered; Escape takes that back.", "problem");
    return;
  }
  if (path === "/api/answers") reckon(group.frames.length, more.class);
  go(questions.position);
  view.showMessage(`${words}: ${view.frames(group.frames.length)}. U takes it back.`);
  undoing.forget();
  find("redo").hidden = true;
  outbox.add(path, group, more);
}

/** The numbers as they will be; the server's own follow. */
function reckon(number, className) {
  page.state.queued = Math.max(0, page.state.queued - number);
  if (className !== null) {
    page.state.labelled += number;
    page.state.until_training = Math.max(0, page.state.until_training - number);
  }
  view.showNumbers(page.state);
}

const answerClass = (name) => answer("/api/answers", { class: name }, name);

function sent(item, reply, again) {
  questions.arrived(item.group.frames);
  look(SETTLE_MS);
  if (item.path !== "/api/answers") return;
  const others = Object.entries(reply.already).filter(([, name]) => !again || name !== item.more.class);
  const words = view.tellReply(others, reply.gone.length);
  if (words) view.showMessage(words, "problem");
}

function refused(item, words) {
  questions.put(item.group);
  go(questions.position);
  view.showMessage(`${words} The frames wait again.`, "problem");
  look(SETTLE_MS);
}

function undone({ undone: what, frames, kept, words }) {
  if (frames.length) {
    const same = frames.every((frame) => frame.guess === frames[0].guess);
    questions.put({ frames, guess: same ? frames[0].guess : null, why: "taken back" });
    go(questions.position);
  } else if (what === "answer") feed.refill(); // of an import, what waited before
  const older = kept === null ? "" : ` Frame ${kept} has its older answer again.`;
  const number = frames.length ? `: ${view.frames(frames.length)}` : "";
  const was = words ? ` It was ${words}. Shift and U does it again.` : "";
  view.showMessage(what === null ? "There is nothing to take back." : `Taken back${number}.${older}${was}`);
  if (what !== null) find("redo").hidden = false;
  look(SETTLE_MS);
}

function redone({ redone: words, frames }) {
  frames.forEach((frame) => questions.drop(frame));
  go(questions.position);
  view.showMessage(words === null ? "There is nothing to do again." : `Done again: ${words}.`);
  find("redo").hidden = words === null;
  look(SETTLE_MS);
}

/** An answer that was taken back before it was sent. */
function answerAgain({ path, group, more }) {
  group.frames.forEach((frame) => questions.drop(frame));
  questions.hide(group.frames);
  go(questions.position);
  view.showMessage(`Done again: ${view.frames(group.frames.length)}.`);
  outbox.add(path, group, more);
}

/** Ask whether to take back what is not of this sitting. */
function asks(words) {
  const dialog = find("ask-undo");
  find("undo-words").textContent = `That takes back ${words}.`;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((said) => {
    const close = () => {
      const yes = dialog.returnValue === "yes";
      if (!yes) view.showMessage("Nothing was taken back.");
      said(yes);
    };
    dialog.addEventListener("close", close, { once: true });
  });
}

// --- the server comes and goes

function away(words, unsent) {
  const kept = unsent === 1 ? "1 answer is" : `${unsent} answers are`;
  view.showAway(`${words} ${unsent ? `${kept} kept in this browser and sent when it is back; go on.` : "Trying again …"}`);
  if (!questions.shown) show();
}

function back() {
  view.showAway("");
  view.showMessage("The server is back, and has every answer.");
  pictures.retry();
  show();
}

/** What nobody asked for fails quietly while the server is away: the line above says so already. */
function trouble(error, wasAsked = false) {
  if (wasAsked || !(error instanceof Away)) view.showMessage(error.message, "problem");
  if (!(error instanceof Away)) return;
  away(error.message, outbox.size);
  look(RETRY_MS);
}

/** After a pause, and when no answer is on its way: take the server's numbers, and what waits now. */
function look(pause_ms) {
  clearTimeout(page.timer);
  page.timer = setTimeout(async () => {
    if (outbox.size) return look(SETTLE_MS);
    try {
      take(await ask("/api/state"));
      if (!find("away").hidden) back();
      if (feed.hasRoom) await feed.refill();
    } catch (error) {
      trouble(error);
    }
    return undefined;
  }, pause_ms);
}

function take(fresh) {
  if (outbox.size) return; // answered meanwhile: the numbers are old already
  const classes = JSON.stringify(fresh.classes) !== JSON.stringify(page.state.classes);
  const camera = fresh.camera !== page.state.camera;
  page.state = fresh;
  view.showNumbers(page.state);
  if (classes) view.showClasses(page.state.classes);
  if (classes || camera) show();
}

// --- what can be done

/** Change the selection by a method of it, and show it. */
function select(method, ...values) {
  selection[method](...values, count());
  show();
}

function escape() {
  if (view.isZoomed()) view.zoom(false);
  else select("clear");
}

function accept() {
  const guess = questions.shown && guessOf(questions.shown);
  if (guess) answerClass(guess);
  else if (questions.shown) view.showMessage("There is no guess to accept; press the key of a class.", "problem");
}

async function again() {
  try {
    await ask("/api/ask-again", {});
    await feed.refill();
  } catch (error) {
    trouble(error, true);
  }
}

function open(id) {
  view.zoom(false);
  find(id).showModal();
}

const actions = {
  accept,
  undo: () => undoing.run(),
  redo: () => undoing.redo(),
  again,
  escape,
  discard: () => answer("/api/answers", { class: null }, "Discarded"),
  skip: () => answer("/api/skips", {}, "Skipped for now"),
  apart: () => select("toggle"),
  zoom: () => view.zoom(!view.isZoomed() && Boolean(questions.shown)),
  new: () => open("new-class"),
  help: () => open("help"),
  previous: () => questions.position > 0 && go(questions.position - 1),
  next: () => questions.ahead > 1 && go(questions.position + 1),
  left: () => select("move", -1),
  right: () => select("move", 1),
  "mark-left": () => select("mark", -1),
  "mark-right": () => select("mark", 1),
};

/** Do one thing after the other: what is pressed during an undo waits for it. */
function perform(action) {
  if (undoing.holds(action)) return;
  if (action.class !== undefined) answerClass(action.class);
  else actions[action.do]();
}

// --- keys, buttons, the form

function onKey(event) {
  if (document.querySelector("dialog[open]")) return;
  const onButton = event.target.closest?.("button:not([data-index])");
  if (onButton && (event.key === "Enter" || event.key === " ")) return; // the button that has the focus is meant
  const action = actionOf(event, page.state.classes, find("letters").checked);
  if (!action) return;
  event.preventDefault();
  if (!event.repeat || mayRepeat(event)) perform(action);
  if (event.target.closest?.("[data-index]")) find("strip").children[selection.cursor]?.focus();
}

function onClick(event) {
  const button = event.target.closest("button");
  if (!button) {
    if (event.target.closest("#picture")) perform({ do: "zoom" });
    return;
  }
  if (event.detail > 0) button.blur(); // after a mouse or a finger, Enter means the guess again
  if (button.dataset.class !== undefined) perform({ class: button.dataset.class });
  else if (button.dataset.do) perform({ do: button.dataset.do });
  else if (button.dataset.index !== undefined) select("move", Number(button.dataset.index) - selection.cursor);
  else if (button.dataset.close !== undefined) button.closest("dialog").close();
}

async function onNewClass(event) {
  event.preventDefault();
  find("name-error").textContent = "";
  try {
    const made = await ask("/api/classes", { name: find("name").value.trim(), role: find("role").value || null });
    page.state = { ...page.state, classes: (await ask("/api/state")).classes };
    view.showClasses(page.state.classes);
    find("new-class").close();
    find("name").value = "";
    view.showMessage(`${made.name} is a class now.`);
    if (event.submitter?.value !== "only" && questions.shown) perform({ class: made.name });
    else show();
  } catch (error) {
    find("name-error").textContent = error.message;
    find("name").focus();
  }
}

function begin() {
  view.showClasses(page.state.classes);
  view.showNumbers(page.state);
  const left = outbox.adopt();
  questions.hide(outbox.frames);
  if (left) view.showMessage(`Sending ${left === 1 ? "an answer" : `${left} answers`} from before.`);
  find("letters").checked = stored()["posture-letters"] !== "off";
  find("letters").onchange = () => (stored()["posture-letters"] = find("letters").checked ? "on" : "off");
  find("new-class").querySelector("form").onsubmit = onNewClass;
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  document.addEventListener("visibilitychange", () => document.hidden || look(0));
  window.addEventListener("beforeunload", (event) => outbox.wouldLose && event.preventDefault());
  setInterval(() => document.hidden || look(0), LOOK_MS);
  feed.refill();
}

begin();
