// Everything by keyboard: past the header, through the chart, and a box in the heatmap.

import assert from "node:assert/strict";

import { clean, look, play, until } from "./stage.mjs";

await play(async (browser) => {
  const stage = await look(browser);
  const { page } = stage;
  await until(page, "the chart is told", () =>
    /\d requests/.test(document.querySelector("#chart .plot").getAttribute("aria-label")));
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "To the verdict");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await tabTo(page, (element) => element.classList.contains("plot"));
  await reads(page, "ArrowLeft", /p99/);
  const last = await said(page);
  await page.keyboard.press("Home");
  await until(page, "another moment", (before) => document.getElementById("announce").textContent !== before, last);
  await tabTo(page, (element) => element.matches("#heatmap canvas"));
  await reads(page, "ArrowLeft", /requests?$/);
  for (const key of ["Shift+ArrowLeft", "Shift+PageUp", "Enter"]) await page.keyboard.press(key);
  await until(page, "the box is compared", () => {
    const note = document.querySelector("#compare .note");
    return note.hidden || !note.textContent.startsWith("Drag a box");
  });
  await page.keyboard.press("Escape");
  await until(page, "the box is gone", () => document.querySelector("#compare .note").textContent.startsWith("Drag a box"));
  // Focus stays where it is while the heads are told anew each second.
  await tabTo(page, (element) => element.getAttribute("aria-label") === "Drain: head-1");
  await page.waitForTimeout(2500);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Drain: head-1");
  clean(stage);
});

function focused(page) {
  return page.evaluate(() => document.activeElement.textContent);
}

function said(page) {
  return page.locator("#announce").textContent();
}

/** Tab until the focus is there, with a ring that can be seen. */
async function tabTo(page, isThere) {
  for (let tabs = 0; tabs < 120; tabs += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(`(${isThere})(document.activeElement)`)) {
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
      return;
    }
  }
  assert.fail(`no Tab leads to ${isThere}`);
}

async function reads(page, key, pattern) {
  await page.keyboard.press(key);
  assert.match(await said(page), pattern);
}
