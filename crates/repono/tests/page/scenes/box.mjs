// A box over the slow requests says what they have in common: their connections were
// reused, and had rested.

import assert from "node:assert/strict";

import { clean, look, play, until } from "./stage.mjs";

/** What the drawing leaves free on its left and right. */
const MARGIN_PX = 80;
/** A row that begins at 1 s or more, and all above it. */
const SLOW_MS = 1000;

await play(async (browser) => {
  const stage = await look(browser);
  const { page } = stage;
  await page.locator("#heatmap summary").click();
  await until(page, "slow requests are shown", () =>
    [...document.querySelectorAll("#heatmap tbody tr")].filter((row) => / s to /.test(row.cells[1].textContent))
      .reduce((sum, row) => sum + Number(row.cells[2].textContent), 0) >= 6);
  await drag(page);
  const sentence = await page.locator("#compare .finding-sentence").textContent();
  assert.match(sentence, /reused connection .*idle for more than \d+ s/);
  const told = await page.locator("#compare tbody tr").first().textContent();
  assert.match(told, /reused, idle > [1-5] s/);
  assert.match(await page.locator("#compare p.muted").textContent(), /^[6-9] boxed/);
  clean(stage);
});

/** From the upper left down to the last row that is slow. */
async function drag(page) {
  const canvas = page.locator("#heatmap canvas.cells");
  await canvas.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await canvas.boundingBox();
  const bottom = await lowest(page, x + width / 2, y, height);
  await page.mouse.move(x + MARGIN_PX, y + 10);
  await page.mouse.down();
  await page.mouse.move(x + width - MARGIN_PX / 2, bottom, { steps: 5 });
  await page.mouse.up();
}

/** Where the readout under the pointer says the slow rows end. */
async function lowest(page, x, y, height) {
  let found = y + 10;
  for (let down = 10; down < height; down += 4) {
    await page.mouse.move(x, y + down);
    const text = await page.locator("#heatmap .readout").textContent();
    const from = /, (?:over )?([\d.]+) (ms|s)/.exec(text);
    if (!from || Number(from[1]) * (from[2] === "s" ? 1000 : 1) < SLOW_MS) break;
    found = y + down;
  }
  return found;
}
