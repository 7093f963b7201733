// Pictures, fetched and decoded before they are asked for, so that the next one is there when a key is pressed.

const LEADERS = 10; // questions ahead of which the first picture is fetched
const WHOLE = 3; // questions ahead of which all pictures are fetched

/** A frame's name on this page: SQLite may give the id of a frame that is gone to another one. */
export const nameOf = (frame) => `${frame.id}@${frame.at}`;

export const urlOf = (frame) => `/picture/${frame.id}?at=${frame.at}`;

export class Pictures {
  #images = new Map();
  #troubles = new Map();

  /** `failed(frame, status)`: a picture did not come; status 404: the frame is gone, 0: the server is away. */
  constructor(failed) {
    this.failed = failed;
  }

  /** The image element of a frame, the same one each time. */
  of(frame) {
    const name = nameOf(frame);
    let image = this.#images.get(name);
    if (!image) {
      image = new Image();
      image.draggable = false;
      image.decoding = "sync"; // it is decoded by then, and must not be painted after the words
      image.onerror = () => this.#lost(frame);
      image.src = urlOf(frame);
      this.#images.set(name, image);
      image.decode().catch(() => {}); // onerror tells
    }
    return image;
  }

  /** Why a frame has no picture; undefined as long as it may have one. */
  trouble(frame) {
    return this.#troubles.get(nameOf(frame));
  }

  /** The server is back: try again. */
  retry() {
    for (const name of this.#troubles.keys()) this.#images.delete(name);
    this.#troubles.clear();
  }

  /** Get ready for these questions and let go of everything else. */
  prepare(groups) {
    const wanted = [
      ...groups.slice(0, WHOLE).flatMap((group) => group.frames),
      ...groups.slice(WHOLE, LEADERS).map((group) => group.frames[0]),
    ];
    const names = new Set(wanted.map(nameOf));
    for (const name of this.#images.keys()) if (!names.has(name)) this.#images.delete(name);
    wanted.forEach((frame) => this.of(frame));
  }

  async #lost(frame) {
    let status = 0;
    try {
      status = (await fetch(urlOf(frame))).status;
    } catch {
      // away
    }
    const away = status === 0 || status >= 500;
    const words = away ? "The picture comes when the server is back." : "This picture cannot be shown; D discards it.";
    if (status !== 404) this.#troubles.set(nameOf(frame), words);
    this.failed(frame, away ? 0 : status);
  }
}
