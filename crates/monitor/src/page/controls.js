// The row on top: range, side, pause, time zone, theme, log-out.

import { el, say } from "./dom.js";
import { change } from "./api.js";
import { forget } from "./palette.js";
import { moment } from "./format.js";
import { now } from "./clock.js";
import { RANGES } from "./ranges.js";
import { look, view } from "./state-in-url.js";

const THEME_KEY = "repono-theme";
const THEMES = ["auto", "light", "dark"];

/** @param {{paused: (value: boolean) => void, repaint: () => void}} told */
export function controls(told) {
  let isPaused = false;
  const ranges = RANGES.map(([key, name]) => choice(name, () => look({ range: key, from: "", to: "" }), () => view().range === key));
  const custom = el("span", { class: "custom muted" });
  const sides = ["head", "client"].map((side) => choice(side, () => look({ side }), () => view().side === side));
  const zones = [["local", "Local"], ["utc", "UTC"]].map(([zone, name]) => choice(name, () => look({ zone }), () => view().zone === zone));
  const pause = el("button", { type: "button", "aria-pressed": "false", onclick: () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    say(pause, isPaused ? "▶ Go on" : "❚❚ Pause");
    told.paused(isPaused);
  } }, "❚❚ Pause");
  const theme = el("select", { "aria-label": "Colours", onchange: () => {
    keepTheme(theme.value);
    told.repaint();
  } }, THEMES.map((value) => el("option", { value }, value)));
  const user = el("span", { class: "muted user" });
  const logout = el("button", { type: "button", class: "quiet", hidden: true, onclick: async () => {
    await change("/logout");
    location.assign("/login");
  } }, "Log out");
  theme.value = keptTheme();
  applyTheme(theme.value);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    forget();
    told.repaint();
  });

  return {
    root: el("div", { class: "controls" },
      group("Range", [...ranges.map(({ root }) => root), custom]), group("Side", sides.map(({ root }) => root)),
      group("Time", zones.map(({ root }) => root)), pause, el("label", { class: "theme" }, theme), user, logout),
    say() {
      for (const one of [...ranges, ...sides, ...zones]) one.say();
      const { range, from, to } = view();
      say(custom, range === "custom" ? `${moment(Number(from) * 1000, now())} to ${moment(Number(to) * 1000, now())}` : "");
    },
    /** @param {{user?: string, role?: string}} session */
    session(session) {
      say(user, session.user ? `${session.user} (${session.role})` : "");
      logout.hidden = !session.user;
    },
  };
}

/** @param {string} name @param {() => void} choose @param {() => boolean} isChosen */
function choice(name, choose, isChosen) {
  const root = el("button", { type: "button", onclick: choose }, name);
  return { root, say: () => root.setAttribute("aria-pressed", String(isChosen())) };
}

/** @param {string} name @param {Node[]} children */
function group(name, children) {
  return el("div", { class: "group", role: "group", "aria-label": name }, el("span", { class: "muted" }, name), children);
}

function keptTheme() {
  try {
    const kept = localStorage.getItem(THEME_KEY);
    return kept !== null && THEMES.includes(kept) ? kept : "auto";
  } catch {
    // Storage may be forbidden: then the theme lasts as long as the page.
    return "auto";
  }
}

/** @param {string} theme */
function keepTheme(theme) {
  applyTheme(theme);
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // As above.
  }
}

/** @param {string} theme */
function applyTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  forget();
}
