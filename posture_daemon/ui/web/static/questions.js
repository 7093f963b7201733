// The questions that this page holds, and which of them is shown. Knows neither the server nor the screen.

import { nameOf } from "./pictures.js";

const KEPT = 3; // questions from the one shown that a refill leaves as they are

export class Questions {
  groups = [];
  position = 0;
  #asked = 0; // how many refills have begun
  #hidden = new Map(); // frames that are answered here: up to which refill the server may still offer them

  get shown() {
    return this.groups[this.position];
  }

  get ahead() {
    return this.groups.length - this.position;
  }

  /** How many questions a refill leaves. */
  get kept() {
    return Math.min(this.groups.length, this.position + KEPT);
  }

  /** The number of a refill that begins now. */
  begin() {
    return ++this.#asked;
  }

  /** Take the server's questions of this refill; those about to be shown stay, frames are in one question only. */
  merge(fresh, number) {
    const kept = this.groups.slice(0, this.kept);
    const held = new Set(kept.flatMap((group) => group.frames).map(nameOf));
    const isNew = (frame) => !held.has(nameOf(frame)) && (this.#hidden.get(nameOf(frame)) ?? -1) < number;
    this.groups = [...kept, ...only(fresh, isNew)];
    for (const [name, until] of this.#hidden) if (until < number) this.#hidden.delete(name);
  }

  /** Remove the question shown; what is set `apart` becomes the next one. Returns what is answered, if anything is. */
  take(apart) {
    const group = this.shown;
    const rest = { ...group, frames: group.frames.filter((_, index) => !apart.has(index)) };
    if (!rest.frames.length) return null;
    const others = { frames: group.frames.filter((_, index) => apart.has(index)), guess: null, why: "set apart" };
    this.groups.splice(this.position, 1, ...(others.frames.length ? [others] : []));
    if (this.position >= this.groups.length) this.position = 0;
    this.hide(rest.frames);
    return rest;
  }

  /** The answer to these frames is on its way: do not take them from the server again. */
  hide(frames) {
    frames.forEach((frame) => this.#hidden.set(nameOf(frame), Infinity));
  }

  /** The server has the answer; only a refill that has begun already may still offer them. */
  arrived(frames) {
    frames.forEach((frame) => this.#hidden.set(nameOf(frame), this.#asked));
  }

  /** Ask this first. */
  put(group) {
    const names = new Set(group.frames.map(nameOf));
    names.forEach((name) => this.#hidden.delete(name));
    this.groups = only(this.groups, (frame) => !names.has(nameOf(frame)));
    this.position = Math.min(this.position, this.groups.length);
    this.groups.splice(this.position, 0, group);
  }

  /** A frame is gone; tells whether it was in the question shown. */
  drop(frame) {
    const isShown = Boolean(this.shown?.frames.some((other) => nameOf(other) === nameOf(frame)));
    this.groups = only(this.groups, (other) => nameOf(other) !== nameOf(frame));
    this.position = Math.max(0, Math.min(this.position, this.groups.length - 1));
    return isShown;
  }
}

/** The questions with only such frames, without those that have none left. */
function only(groups, isWanted) {
  return groups
    .map((group) => ({ ...group, frames: group.frames.filter(isWanted) }))
    .filter((group) => group.frames.length);
}
