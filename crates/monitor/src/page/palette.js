// Colours of canvases: those of the style sheet, and cividis for counts, which people
// with and without colour vision order alike.

/** Every 1/8 of cividis (Nuñez, Anderton, Renslow 2018), dark to bright. */
const CIVIDIS = [
  [0, 34, 78], [31, 54, 109], [66, 78, 108], [95, 101, 110], [124, 123, 120],
  [155, 147, 118], [188, 172, 107], [223, 200, 88], [254, 232, 56],
];
/** The darkest part does not stand out from a dark page. */
const DARK_FROM = 0.16;

const probe = document.createElement("span");
probe.hidden = true;
document.documentElement.append(probe);
/** @type {Map<string, string>} */
const known = new Map();

/** The style sheet's colour of that name, as it is in the theme. @param {string} name */
export function ink(name) {
  const before = known.get(name);
  if (before) return before;
  probe.style.color = `var(--${name})`;
  const color = getComputedStyle(probe).color;
  known.set(name, color);
  return color;
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The colours changed with the theme. */
export function forget() {
  known.clear();
}

/** More is further from the page's ground. @param {number} value from 0 to 1 */
export function heat(value) {
  const place = isDark() ? DARK_FROM + value * (1 - DARK_FROM) : 0.96 - value * 0.96;
  const scaled = Math.min(Math.max(place, 0), 1) * (CIVIDIS.length - 1);
  const lower = Math.min(Math.floor(scaled), CIVIDIS.length - 2);
  const part = scaled - lower;
  const mixed = CIVIDIS[lower].map((from, i) => Math.round(from + (CIVIDIS[lower + 1][i] - from) * part));
  return `rgb(${mixed.join(" ")})`;
}

/** Counts of 1 and of the most, on a logarithmic scale. @param {number} count @param {number} most */
export function level(count, most) {
  return most <= 1 ? 1 : Math.log(count) / Math.log(most);
}
