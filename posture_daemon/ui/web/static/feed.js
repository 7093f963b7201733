// Fetches questions ahead of the one shown.

import { ask } from "./server.js";

const AHEAD = 20; // questions that are held
const REFILL_BELOW = 12;
const MOST = 100; // questions that the server gives at once

export class Feed {
  skipped = 0; // frames that wait as well, but were skipped
  loaded = false; // the server has answered once
  #mayBeMore = false; // it had as many questions as were asked for
  #refilling = null;

  /** `hears` has arrived(wasEmpty), after questions have come, and failed(error). */
  constructor(questions, hears) {
    this.questions = questions;
    this.hears = hears;
  }

  /** Whether questions that have come up meanwhile would be wanted. */
  get hasRoom() {
    return this.questions.ahead < AHEAD;
  }

  /** Fetch more when few are left and there may be more. */
  topUp() {
    if (this.#mayBeMore && this.questions.ahead < REFILL_BELOW) this.refill();
  }

  /** Fetch the next questions; asked while it is fetching, it fetches once more, since what it gets may be old already. */
  async refill() {
    if (this.#refilling) {
      this.#refilling.again = true;
      return;
    }
    this.#refilling = { again: false };
    try {
      await this.#fetch();
    } catch (error) {
      this.hears.failed(error);
    }
    const { again: isWanted } = this.#refilling;
    this.#refilling = null;
    if (isWanted) await this.refill();
  }

  async #fetch() {
    const number = this.questions.begin();
    const limit = Math.min(MOST, AHEAD + this.questions.kept);
    const fresh = await ask(`/api/groups?limit=${limit}`);
    [this.skipped, this.loaded, this.#mayBeMore] = [fresh.skipped, true, fresh.groups.length === limit];
    const wasEmpty = !this.questions.shown;
    this.questions.merge(fresh.groups, number);
    this.hears.arrived(wasEmpty);
  }
}
