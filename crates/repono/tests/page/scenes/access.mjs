// For everybody: axe-core finds nothing serious in both themes and at both widths, with
// everything opened; nothing is wider than a phone. Leaves the pictures of the docs.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";

import { clean, look, play, require, until } from "./stage.mjs";

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const LOOKS = [[1280, "light"], [1280, "dark"], [360, "light"], [360, "dark"]];
/** Enough to be a picture of something. */
const SECONDS_MIN = 45;
const pictures = process.env.REPONO_PICTURES;

await play(async (browser) => {
  for (const [width, theme] of LOOKS) {
    // The checker comes as text: the page under it keeps its policy in the other scenes.
    const stage = await look(browser, { width, theme, bypassCSP: true });
    await filled(stage.page);
    if (pictures) await picture(stage.page, `${width}-${theme}`);
    await opened(stage.page);
    const { scrollWidth, innerWidth } = await stage.page.evaluate(() =>
      ({ scrollWidth: document.documentElement.scrollWidth, innerWidth }));
    assert(scrollWidth <= innerWidth, `${width}: ${scrollWidth} px are wider than ${innerWidth}`);
    await stage.page.evaluate(AXE);
    const { violations } = await stage.page.evaluate((values) =>
      globalThis.axe.run(document, { runOnly: { type: "tag", values } }), TAGS);
    const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    assert.deepEqual(grave.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `${width} ${theme}`);
    clean(stage);
    await stage.context.close();
  }
});

async function filled(page) {
  await until(page, "requests are shown", () => document.querySelectorAll("#slowest .requests > li").length > 0);
  await until(page, "heads are shown", () => document.querySelectorAll("#heads tbody tr").length === 3);
}

async function opened(page) {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  await until(page, "tables are filled", () => document.querySelectorAll("#chart tbody tr").length > 0);
}

async function picture(page, name) {
  const seconds = (least) => {
    const shown = document.querySelector("#chart .plot").getAttribute("aria-label") ?? "";
    return Number(/(\d[\d,]*) requests/.exec(shown)?.[1].replaceAll(",", "") ?? 0) > least * 20;
  };
  await until(page, "enough for a picture", seconds, SECONDS_MIN);
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
}
