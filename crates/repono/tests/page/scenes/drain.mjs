// An operator drains a head by its button: the balancer says so, and then that it is ready.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import { clean, look, play, until } from "./stage.mjs";

await play(async (browser) => {
  const stage = await look(browser);
  const { page } = stage;
  const row = page.locator("#heads tbody tr", { hasText: "head-2" });
  await row.getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal(state("head-2"), "ready");
  await row.getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  await until(page, "the page says so", shows, "draining");
  assert.equal(state("head-2"), "draining");
  assert.equal(state("head-1"), "ready");
  await until(page, "the change is told", () => document.querySelector("#changes").textContent.includes("draining"));
  await row.getByRole("button", { name: "Ready" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make ready" }).click();
  await until(page, "the page says so", shows, "ready");
  assert.equal(state("head-2"), "ready");
  clean(stage);
});

function shows(wanted) {
  return document.querySelector("#heads tbody tr:nth-child(2) .state").textContent.endsWith(` ${wanted}`);
}

/** What the balancer says. */
function state(name) {
  const told = execFileSync(process.env.PAGE_PROGRAM, ["--json", "admin", "head", "list"], { encoding: "utf8" });
  const list = JSON.parse(told);
  return (list.heads ?? list).find((head) => head.name === name).state;
}
