// The pictures of a lesson, a row a class, each of which can be dropped before anything is learned from it.

const at = document.getElementById("sheet");
const dropped = new Set();

/** Draw the sheet, once for the same pictures; `sheet` has ids and capture times by class. */
export function drawSheet(sheet) {
  const words = JSON.stringify(sheet);
  at.hidden = Object.keys(sheet).length === 0;
  if (at.dataset.words === words) return;
  at.dataset.words = words;
  dropped.clear();
  at.replaceChildren(...Object.entries(sheet).map(([name, frames]) => row(name, frames)));
}

/** Names of the classes whose pictures are to be dropped. */
export function toDrop() {
  return [...dropped];
}

function row(name, frames) {
  const section = document.createElement("section"), title = document.createElement("h3"), button = document.createElement("button");
  title.textContent = name;
  button.type = "button";
  button.textContent = "Drop these";
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-label", `Drop the pictures of ${name}`);
  button.addEventListener("click", () => {
    if (!dropped.delete(name)) dropped.add(name);
    button.setAttribute("aria-pressed", String(dropped.has(name)));
    button.textContent = dropped.has(name) ? "Dropped" : "Drop these";
    section.classList.toggle("dropped", dropped.has(name));
  });
  const pictures = frames.map(([id, time], number) => Object.assign(new Image(), {
    src: `/picture/${id}?at=${time}`, alt: `${name}, picture ${number + 1} of ${frames.length}`, loading: "lazy",
  }));
  section.append(title, button, ...pictures);
  return section;
}
