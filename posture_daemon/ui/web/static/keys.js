// Which key means what.

const KEYS = { Enter: "accept", u: "undo", d: "discard", s: "skip", x: "apart", z: "zoom", " ": "zoom", n: "new", "?": "help" };
const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "previous", ArrowDown: "next", Escape: "escape" };
const MARKS = { ArrowLeft: "mark-left", ArrowRight: "mark-right" };

/** What a key asks for: `{ class }` or `{ do }`, null for nothing. Without `letters` only arrows and Escape mean anything. */
export function actionOf(event, classes, letters) {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  if (event.key in ARROWS) return { do: (event.shiftKey && MARKS[event.key]) || ARROWS[event.key] };
  if (!letters) return null;
  const key = letterOf(event);
  if (event.shiftKey && key === "u") return { do: "redo" };
  const known = classes.find((each) => each.key && each.key === key);
  if (known) return { class: known.name };
  return key in KEYS ? { do: KEYS[key] } : null;
}

/** Of keys held down only the arrows repeat: one that answers must not answer everything. */
export const mayRepeat = (event) => event.key.startsWith("Arrow");

/** The Latin letter or digit of a key, also on keyboards that have another sign there. */
function letterOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in KEYS || /^[a-z0-9]$/.test(key) || key.length > 1) return key;
  return /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase() ?? key;
}
