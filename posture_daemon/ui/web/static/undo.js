// Takes the last step back. Nothing else happens until it is known what was taken back: the next key is meant for that.

import { Away, ask, newKey } from "./server.js";

export class Undo {
  #key = null; // of a request whose reply has not come
  #pressed = null; // what was pressed while an undo is on its way

  /** `hears` has undone(reply), failed(error) and perform(action), for what was pressed meanwhile. */
  constructor(outbox, hears) {
    this.outbox = outbox;
    this.hears = hears;
  }

  /** Whether an action has to wait for an undo; then it is carried out afterwards. */
  holds(action) {
    if (!this.#pressed) return false;
    this.#pressed.push(action);
    return true;
  }

  async run() {
    const unsent = this.outbox.takeBack();
    if (unsent) {
      this.hears.undone({ undone: "unsent", frames: unsent.group.frames, kept: null });
      return;
    }
    this.#pressed = [];
    try {
      if (!(await this.outbox.flush())) throw new Away("The server is away, so nothing can be taken back now.");
      this.#key ??= newKey();
      const reply = await ask("/api/undo", { key: this.#key });
      this.#key = null;
      this.hears.undone(reply);
    } catch (error) {
      this.#pressed = [];
      this.hears.failed(error);
    }
    const later = this.#pressed;
    this.#pressed = null;
    later.forEach((action) => this.hears.perform(action));
  }
}
