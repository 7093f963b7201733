// Draws what is asked; knows no rules.

import { nameOf, urlOf } from "./pictures.js";

const MARKS = { good: "✓", bad: "!", away: "○", neutral: "·" };
export const find = (id) => document.getElementById(id);
export const frames = (count) => (count === 1 ? "1 frame" : `${count} frames`);

/** An element with text and attributes; text is never read as HTML, for class names are what people type. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function showClasses(classes) {
  const buttons = classes.map(({ name, role, key }) => {
    const shortcut = key ? { "aria-keyshortcuts": key } : {};
    return make(
      "button",
      { type: "button", "data-class": name, class: `class ${role}`, ...shortcut },
      make("kbd", { "aria-hidden": "true" }, key.toUpperCase() || "–"),
      make(
        "span",
        { class: "label" },
        make("span", { class: "name" }, name),
        make("span", { class: "role" }, make("span", { class: "mark", "aria-hidden": "true" }, MARKS[role]), ` ${role}`),
      ),
    );
  });
  const none = make("p", { class: "soft" }, "There is no class yet; press N to name the first one.");
  find("classes").replaceChildren(...(buttons.length ? buttons : [none]));
}

export function showNumbers(state) {
  find("queued").textContent = state.queued.toLocaleString();
  find("labelled").textContent = state.labelled.toLocaleString();
  const left = state.until_training;
  const training =
    left > 0 ? `${left.toLocaleString()} more ${left === 1 ? "label" : "labels"} until the next training` : "Enough labels for the next training";
  const today = state.today && state.today[0].toUpperCase() + state.today.slice(1);
  find("training-words").textContent = [today, training].filter(Boolean).join(" · ");
  find("bar").max = Math.max(1, state.training_needs);
  find("bar").value = Math.max(0, state.training_needs - left);
}

/** Show one frame of a question: its image, or words on why there is none. */
export function showFrame(group, cursor, imageOrTrouble) {
  const frame = group.frames[cursor];
  const picture = find("picture");
  picture.dataset.frame = frame.id;
  if (typeof imageOrTrouble === "string") {
    picture.replaceChildren(make("p", {}, imageOrTrouble));
  } else {
    imageOrTrouble.alt = `Frame ${frame.id}, taken ${when(frame)}`;
    if (picture.firstChild !== imageOrTrouble) picture.replaceChildren(imageOrTrouble);
  }
  find("place").textContent = group.frames.length > 1 ? `${cursor + 1} of ${group.frames.length}` : "";
}

/** Ask: what is this, or are these all of one class? */
export function showWords(group, cursor, apart, guess) {
  const [count, frame] = [group.frames.length, group.frames[cursor]];
  const rest = count - apart.size;
  const subject = count === 1 ? "this" : rest === count ? `these ${count}` : `${rest === 1 ? "this one" : `these ${rest}`}`;
  const asked = find("asked");
  if (guess) asked.replaceChildren(rest > 1 ? `Are ${subject} all ` : `Is ${subject} `, make("b", {}, guess), "?");
  else asked.replaceChildren(rest > 1 ? `What are ${subject}?` : `What is ${subject}?`);
  const sure = frame.guess && frame.confidence !== null ? `${frame.guess}, ${Math.round(100 * frame.confidence)} % sure` : "";
  const set = apart.size ? `${frames(apart.size)} set apart, asked next` : "";
  find("why").textContent = [set, sure && `Model: ${sure}`, group.why, when(frame)].filter(Boolean).join(" · ");
  find("apart").setAttribute("aria-pressed", String(apart.has(cursor)));
  offerGuess(guess);
}

/** All frames of the question as small pictures; those set apart carry a word, not only a colour. */
export function showStrip(group, cursor, apart) {
  const strip = find("strip");
  strip.hidden = group.frames.length < 2;
  const names = group.frames.map(nameOf).join();
  if (strip.dataset.names !== names) {
    strip.dataset.names = names;
    strip.replaceChildren(...(strip.hidden ? [] : group.frames.map((frame, index) => thumbnail(frame, index))));
  }
  [...strip.children].forEach((button, index) => {
    const isApart = apart.has(index);
    button.tabIndex = index === cursor ? 0 : -1;
    button.classList.toggle("apart", isApart);
    button.setAttribute("aria-label", `Frame ${index + 1} of ${group.frames.length}${isApart ? ", set apart" : ""}`);
    if (index === cursor) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  if (!strip.hidden) keepInSight(strip, strip.children[cursor]);
}

function thumbnail(frame, index) {
  const image = make("img", { src: urlOf(frame), alt: "", draggable: "false" });
  return make("button", { type: "button", "data-index": index }, image, make("span", { class: "tag" }, "apart"));
}

/** Only the strip scrolls; scrollIntoView would move the page on a phone as well. */
function keepInSight(strip, button) {
  const [from, to] = [button.offsetLeft - strip.offsetLeft, button.offsetLeft - strip.offsetLeft + button.offsetWidth];
  if (from < strip.scrollLeft) strip.scrollLeft = from - 8;
  else if (to > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = to - strip.clientWidth + 8;
}

/** Nothing is left to ask, as far as is known; `camera` says why nothing comes, if so. */
export function showNothing(skipped, isAway, camera) {
  delete find("picture").dataset.frame;
  find("strip").hidden = true;
  find("place").textContent = "";
  offerGuess(null);
  const mark = make("p", { class: "done" }, make("span", { class: "mark", "aria-hidden": "true" }, isAway ? "…" : "✓"));
  const again = make("button", { type: "button", "data-do": "again" }, `Ask about the ${frames(skipped)} that you skipped`);
  const shown = skipped && !isAway ? [mark, again] : [mark];
  const said = shown.map((element) => element.textContent).join();
  // as it was, it stays: a button that is made anew loses the focus
  if ([...find("picture").children].map((element) => element.textContent).join() !== said) find("picture").replaceChildren(...shown);
  find("asked").textContent = skipped ? "Nothing else waits." : "All done: no frame waits.";
  const next = "The camera's next unsure frames appear here by themselves.";
  find("why").textContent = camera ? `No new frames come: ${camera}` : next;
  if (!isAway) return;
  find("asked").textContent = "The next question comes when the server is back.";
  find("why").textContent = "";
}

/** The button for Enter, and the class that it stands for. */
function offerGuess(guess) {
  find("accept").disabled = !guess;
  find("accept-words").textContent = guess ? `Yes, ${guess}` : "No guess to accept";
  for (const button of document.querySelectorAll("[data-class]")) {
    button.classList.toggle("guess", button.dataset.class === guess);
  }
}

export function showMessage(words, kind = "") {
  const message = find("message");
  message.className = kind;
  message.textContent = words;
  for (const leaving of message.getAnimations()) {
    leaving.cancel(); // the last message may have left, and this one is to stay for as long
    leaving.play();
  }
}

export function showAway(words) {
  find("away").hidden = !words;
  if (find("away").textContent !== words) find("away").textContent = words;
}

/** What the server did otherwise than was asked; "" if nothing. `others` are ids with the class that somebody else gave. */
export function tellReply(others, gone) {
  const byClass = new Map();
  for (const [id, name] of others) byClass.set(name, [...(byClass.get(name) ?? []), id]);
  const words = [...byClass].map(([name, ids]) => {
    const what = ids.length === 1 ? `Frame ${ids[0]} was` : `${ids.length} frames were`;
    if (name === null) return `${what} discarded by somebody else meanwhile.`;
    return `${what} answered as ${name} by somebody else meanwhile and ${ids.length === 1 ? "keeps" : "keep"} that.`;
  });
  if (gone) words.push(`${frames(gone)} had left the queue to make room, so there was nothing to answer.`);
  return words.join(" ");
}

export const isZoomed = () => document.body.classList.contains("zoomed");

export function zoom(on) {
  document.body.classList.toggle("zoomed", on);
  find("zoom").setAttribute("aria-pressed", String(on));
}

function when(frame) {
  return new Date(1000 * frame.at).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
}
