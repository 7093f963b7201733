// The lesson that would begin: its classes, each of which can be left out, their sentences, and how long it takes.

const by = (id) => document.getElementById(id);

/** The list of the poses to come; `changed` is called with the names that are left when one is ticked or not. */
export class Plan {
  constructor(plan, changed) {
    this.all = plan.classes;
    this.left = new Set(plan.classes.map((one) => one.name));
    this.changed = changed;
    by("poses").replaceChildren(...this.all.map((one) => this.#item(one)));
    this.tell(plan);
  }

  /** The ticked classes, in their order. */
  get names() {
    return this.all.map((one) => one.name).filter((name) => this.left.has(name));
  }

  /** Say how many poses and how much time; `plan` is `null` when nothing is left. */
  tell(plan) {
    const live = plan && Math.round(plan.live_seconds);
    by("takes").textContent = plan === null ? "Tick at least one posture." :
      `${plan.poses} poses, ${Math.round(plan.seconds)} seconds. Then it learns, for some seconds, and you see it answer live for ${live}.`;
    by("start").disabled = plan === null;
  }

  #item(one) {
    const item = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) this.left.add(one.name);
      else this.left.delete(one.name);
      this.changed(this.names);
    });
    label.append(box, Object.assign(document.createElement("b"), { textContent: one.name }));
    const words = one.sentences.map((text) => Object.assign(document.createElement("span"), { textContent: text }));
    item.append(label, ...words);
    return item;
  }
}
