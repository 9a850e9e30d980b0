// What the chart's table says is what the interface says; what is looked at survives a
// reload, and back goes back.

import assert from "node:assert/strict";

import { ask, clean, live, look, play, until } from "./stage.mjs";

/** Seconds that may still get a request when they are asked for. */
const OPEN_S = 5;
const KEYS = ["t", "count", "failed", "reused", "p50", "p95", "p99", "max"];

await play(async (browser) => {
  const stage = await look(browser);
  const { page } = stage;
  await chartEqualsApi(page);
  await viewSurvives(page);
  await copies(page);
  clean(stage);
});

async function chartEqualsApi(page) {
  await page.locator("#chart summary").click();
  const filled = () => [...document.querySelectorAll("#chart tbody tr")]
    .filter((row) => Number(row.cells[1].querySelector("data")?.value) > 0).length >= 8;
  await until(page, "seconds with requests", filled);
  await page.getByRole("button", { name: "Pause" }).click();
  assert.match(await page.locator(".standing").textContent(), /^Paused at /);
  const rows = await page.evaluate(() => [...document.querySelectorAll("#chart tbody tr")].map((row) =>
    [...row.cells].map((cell) => (cell.querySelector("data") ? Number(cell.querySelector("data").value) : null))));
  const shown = rows.filter(([t]) => t <= rows[0][0] - OPEN_S);
  const [from, to] = [shown.at(-1)[0], shown[0][0] + 1];
  const told = await ask(page, `/api/v1/series?from=${from}&to=${to}&step=second&side=head`);
  const expected = told.t.map((_, i) => KEYS.map((key) => told[key][i])).reverse();
  assert.deepEqual(shown, expected);
  assert(shown.filter(([, count]) => count > 0).length >= 3, "there was load");
  await page.getByRole("button", { name: "Go on" }).click();
  await live(page);
}

async function viewSurvives(page) {
  await page.getByRole("button", { name: "1 h", exact: true }).click();
  await page.getByRole("button", { name: "client", exact: true }).click();
  await page.getByRole("button", { name: "UTC" }).click();
  await page.getByRole("button", { name: "Scale: log" }).click();
  await page.locator("#filter-head").fill("head-2");
  await page.locator("#filter-head").press("Enter");
  await page.locator("#filter-method").selectOption("GET");
  await page.locator("#filter-reused").selectOption("true");
  const query = new URL(page.url()).search;
  await page.reload();
  await live(page);
  assert.equal(new URL(page.url()).search, query);
  const pressed = await page.locator("#bar [aria-pressed=true]").allTextContents();
  assert.deepEqual(pressed, ["1 h", "client", "UTC"]);
  await page.getByRole("button", { name: "Scale: linear" }).waitFor();
  assert.equal(await page.locator("#filter-head").inputValue(), "head-2");
  assert.equal(await page.locator("#filter-method").inputValue(), "GET");
  assert.equal(await page.locator("#filter-reused").inputValue(), "true");
  await page.getByRole("button", { name: "24 h" }).click();
  await page.goBack();
  await until(page, "back", () => document.querySelector("#bar [aria-pressed=true]").textContent === "1 h");
  await page.goForward();
  await until(page, "forward", () => document.querySelector("#bar [aria-pressed=true]").textContent === "24 h");
}

async function copies(page) {
  await page.getByRole("button", { name: "Copy as JSON: Heads" }).click();
  await until(page, "said", () => document.getElementById("announce").textContent.includes("copied"));
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.deepEqual(copied.heads.map(({ name }) => name), ["head-1", "head-2", "head-3"]);
}
