// Which frame of the question is shown, and which of its frames are set apart. `count` is the number of its frames.

export class Selection {
  cursor = 0;
  apart = new Set();
  #anchor = null; // where Shift and an arrow began

  /** For another question: its first frame, nothing set apart. */
  reset() {
    this.cursor = 0;
    this.clear();
  }

  /** Set nothing apart. */
  clear() {
    [this.apart, this.#anchor] = [new Set(), null];
  }

  /** Keep the cursor on a frame when some have gone. */
  clamp(count) {
    this.cursor = Math.min(this.cursor, count - 1);
  }

  move(by, count) {
    if (this.cursor + by < 0 || this.cursor + by >= count) return;
    [this.cursor, this.#anchor] = [this.cursor + by, null];
  }

  /** Set apart all frames from where Shift was first used to where it leads now. */
  mark(by, count) {
    if (count < 2) return;
    this.#anchor ??= this.cursor;
    this.cursor = Math.max(0, Math.min(count - 1, this.cursor + by));
    const [from, to] = [Math.min(this.#anchor, this.cursor), Math.max(this.#anchor, this.cursor)];
    this.apart = new Set(Array.from({ length: to - from + 1 }, (_, index) => from + index));
  }

  /** Set the frame shown apart, or no longer. */
  toggle(count) {
    if (count < 2) return;
    if (!this.apart.delete(this.cursor)) this.apart.add(this.cursor);
  }
}
