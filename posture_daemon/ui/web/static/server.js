// Talks to the server, and keeps every answer until the server has it.

const HEADERS = { "content-type": "application/json", "x-posture-daemon": "label" };
const PREFIX = "posture-answer:";
const PATIENCE_MS = 15000;
const RETRY_FIRST_MS = 300;
const MAX_RETRY_MS = 3000;

/** The server understood and said no, in words. */
export class Refused extends Error {}

/** No answer, or it cannot answer now: the same again later. */
export class Away extends Error {}

/** A key that nobody else makes; crypto.randomUUID is missing where the page comes over plain HTTP from another device. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Ask for `path`, or send it `body`. Throws Refused or Away. */
export async function ask(path, body) {
  const what = body === undefined ? {} : { method: "POST", headers: HEADERS, body: JSON.stringify(body) };
  let status, said;
  try {
    const reply = await fetch(path, { ...what, signal: AbortSignal.timeout(PATIENCE_MS) });
    status = reply.status;
    said = await reply.json();
  } catch {
    throw new Away(status === undefined ? "The server does not answer." : "The server's answer was cut off.");
  }
  if (status < 300) return said;
  if (status >= 500 || [401, 403, 421].includes(status)) throw new Away(said.error || `The server has failed (${status}).`);
  throw new Refused(said.error || `The server refused that (${status}).`);
}

/**
 * Answers on their way, in order. Each lies under a name of its own in localStorage until the server has confirmed it, so
 * neither a reload nor a restart of the server loses one; the server knows each by its key and carries it out once.
 */
export class Outbox {
  #items = [];
  #sending = null;
  #pause = RETRY_FIRST_MS;
  #timer = 0;

  /** `hears` has sent(item, reply, again), refused(item, words), away(words, count) and back(count). */
  constructor(hears) {
    this.hears = hears;
    this.isAway = false;
  }

  get size() {
    return this.#items.length;
  }

  /** Frames of answers that are on their way. */
  get frames() {
    return this.#items.flatMap((item) => item.group.frames);
  }

  /** Take over what an earlier page left behind; returns how many answers that were. */
  adopt() {
    const left = Object.keys(stored()).filter((name) => name.startsWith(PREFIX));
    const items = left.map((name) => parse(stored()[name])).filter((item) => item?.key && item.group);
    this.#items.push(...items.sort((a, b) => a.at - b.at).map((item) => ({ ...item, tried: true })));
    this.flush();
    return items.length;
  }

  /** Send `group`'s frames to `path`, with what else the server wants to know. */
  add(path, group, more = {}) {
    const item = { key: newKey(), path, group, more, at: Date.now() + this.#items.length / 1000 };
    this.#items.push(item);
    try {
      stored()[PREFIX + item.key] = JSON.stringify(item);
    } catch {
      item.fleeting = true; // the browser keeps nothing; the page warns before it is left
    }
    this.flush();
  }

  /** True when leaving the page now would lose an answer. */
  get wouldLose() {
    return this.#items.some((item) => item.fleeting);
  }

  /** Remove the newest answer if it has certainly not reached the server. */
  takeBack() {
    const item = this.#items.at(-1);
    if (!item || item.tried) return null;
    this.#forget(item);
    return item;
  }

  /** Send what waits; resolves to true when all of it has arrived. */
  flush() {
    clearTimeout(this.#timer);
    this.#sending ??= this.#send().finally(() => (this.#sending = null));
    return this.#sending;
  }

  async #send() {
    while (this.#items.length) {
      const item = this.#items[0];
      const again = Boolean(item.tried);
      item.tried = true;
      try {
        const frames = item.group.frames.map((frame) => [frame.id, frame.at]);
        const reply = await ask(item.path, { key: item.key, frames, ...item.more });
        this.#forget(item);
        this.#isBack();
        this.hears.sent(item, reply, again);
      } catch (error) {
        if (!(error instanceof Refused)) return this.#later(error);
        this.#forget(item);
        this.hears.refused(item, error.message);
      }
    }
    return true;
  }

  #later(error) {
    if (!(error instanceof Away)) throw error;
    this.isAway = true;
    this.hears.away(error.message, this.#items.length);
    this.#timer = setTimeout(() => this.flush(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, MAX_RETRY_MS);
    return false;
  }

  #isBack() {
    this.#pause = RETRY_FIRST_MS;
    if (!this.isAway) return;
    this.isAway = false;
    this.hears.back();
  }

  #forget(item) {
    this.#items.splice(this.#items.indexOf(item), 1);
    try {
      delete stored()[PREFIX + item.key];
    } catch {
      // it was never there
    }
  }
}

/** Storage may be forbidden in a browser; then nothing is remembered between pages. */
export function stored() {
  try {
    return window.localStorage;
  } catch {
    return {};
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
