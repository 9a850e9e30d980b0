// What is looked at, kept in the address: reload, back, forward and a link to a
// colleague show the same.

/**
 * @typedef {{range: string, from: string, to: string, side: string, scale: string, zone: string,
 *   head: string, method: string, status: string, reused: string, connection: string}} View
 */

/** @type {View} */
const DEFAULTS = {
  range: "5m", from: "", to: "", side: "head", scale: "log", zone: "local",
  head: "", method: "", status: "", reused: "", connection: "",
};
/** Words that a key may have; others are names or numbers. @type {Record<string, string[]>} */
const WORDS = {
  range: ["5m", "1h", "6h", "24h", "7d", "30d", "custom"],
  side: ["head", "client"],
  scale: ["log", "linear"],
  zone: ["local", "utc"],
  reused: ["", "true", "false"],
};
/** Longer names are nobody's. */
const VALUE_CHARACTERS_MAX = 200;

/** @type {View} */
let current = read();
/** @type {((view: View, changed: Set<string>) => void)[]} */
const watchers = [];

function read() {
  const given = new URLSearchParams(location.search);
  const next = { ...DEFAULTS };
  for (const key of /** @type {(keyof View)[]} */ (Object.keys(DEFAULTS))) {
    const value = given.get(key);
    if (value === null || value.length > VALUE_CHARACTERS_MAX) continue;
    if (!WORDS[key] || WORDS[key].includes(value)) next[key] = value;
  }
  const [from, to] = [Number(next.from), Number(next.to)];
  if (next.range === "custom" && !(from > 0 && to > from)) {
    Object.assign(next, { range: DEFAULTS.range, from: "", to: "" });
  }
  return next;
}

/** @returns {Readonly<View>} */
export function view() {
  return current;
}

/** @param {(view: View, changed: Set<string>) => void} watcher */
export function watch(watcher) {
  watchers.push(watcher);
}

/**
 * Changes what is looked at; the browser's history has one entry more.
 * @param {Partial<View>} changes
 */
export function look(changes) {
  const next = { ...current, ...changes };
  const changed = differences(current, next);
  if (changed.size === 0) return;
  history.pushState(null, "", address(next));
  adopt(next, changed);
}

/** @param {View} of */
function address(of) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(of)) {
    if (value !== DEFAULTS[/** @type {keyof View} */ (key)]) query.set(key, value);
  }
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

/** @param {View} before @param {View} after */
function differences(before, after) {
  const keys = /** @type {(keyof View)[]} */ (Object.keys(DEFAULTS));
  return new Set(keys.filter((key) => before[key] !== after[key]));
}

/** @param {View} next @param {Set<string>} changed */
function adopt(next, changed) {
  current = next;
  for (const watcher of watchers) watcher(next, changed);
}

addEventListener("popstate", () => {
  const next = read();
  adopt(next, differences(current, next));
});
