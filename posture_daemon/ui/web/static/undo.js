// Takes the last step back, or does it again. Nothing else happens until it is known what was taken back: the next key is
// meant for that. What is not of this sitting is only taken back when the owner says so.

import { Away, ask, newKey } from "./server.js";

export class Undo {
  #key = null; // of a request whose reply has not come
  #pressed = null; // what was pressed while an undo is on its way
  #unsent = null; // an answer that was taken back before the server had it

  /**
   * `hears` has undone(reply), redone(reply), again(item) for an answer that was never sent, asks(words), which resolves to
   * what the owner says, failed(error) and perform(action), for what was pressed meanwhile.
   */
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

  /** Something new was answered, so that nothing is left to do again. */
  forget() {
    this.#unsent = null;
  }

  async run() {
    const unsent = this.outbox.takeBack();
    if (unsent) {
      this.#unsent = unsent;
      this.hears.undone({ undone: "unsent", frames: unsent.group.frames, kept: null });
      return;
    }
    await this.#alone(async () => {
      const reply = await this.#send("/api/undo", {});
      if (reply.undone !== "ask") this.hears.undone(reply);
      else if (await this.hears.asks(reply.words)) this.hears.undone(await this.#send("/api/undo", { step: reply.step }));
    });
  }

  async redo() {
    if (this.#unsent) {
      this.hears.again(this.#unsent);
      this.#unsent = null;
      return;
    }
    await this.#alone(async () => this.hears.redone(await this.#send("/api/redo", {})));
  }

  async #send(path, more) {
    this.#key ??= newKey();
    const reply = await ask(path, { key: this.#key, ...more });
    this.#key = null;
    return reply;
  }

  /** Do this when every answer has arrived, and then what was pressed meanwhile. */
  async #alone(change) {
    this.#pressed = [];
    try {
      if (!(await this.outbox.flush())) throw new Away("The server is away, so nothing can be taken back now.");
      await change();
    } catch (error) {
      this.#pressed = [];
      if (!(error instanceof Away)) this.#key = null; // refused: the next one is another request
      this.hears.failed(error);
    }
    const later = this.#pressed;
    this.#pressed = null;
    later.forEach((action) => this.hears.perform(action));
  }
}
