// The monitor is killed; the page says so, and goes on by itself when it is back.

import assert from "node:assert/strict";

import { clean, look, logIn, play, until } from "./stage.mjs";

await play(async (browser) => {
  const stage = await look(browser);
  const { page, context } = stage;
  await until(page, "requests are shown", () =>
    /\d requests/.test(document.querySelector("#chart .plot").getAttribute("aria-label")));
  stage.away = true;
  process.kill(Number(process.env.PAGE_MONITOR_PID), "SIGKILL");
  await until(page, "the loss is seen", () => {
    const { dataset, textContent } = document.querySelector(".standing");
    return dataset.standing === "lost" || textContent.includes("Live again");
  });
  await until(page, "it is back, or asks for a log-in", () =>
    document.querySelector(".standing").dataset.standing === "live" || !document.querySelector(".banner").hidden);
  if (await page.locator(".banner").isVisible()) {
    // A log-in does not outlive the monitor; one in another window serves this one too.
    await logIn(context);
  }
  await page.locator(".standing[data-standing=live]").waitFor();
  assert.match(await page.locator(".standing").textContent(), /Live again since /);
  stage.away = false;
  const last = await lastSecond(page);
  await until(page, "seconds go on", (before) => {
    const text = document.querySelector("#chart .when").textContent;
    return text !== "" && text !== before;
  }, last);
  clean(stage);
});

function lastSecond(page) {
  return page.locator("#chart .when").textContent();
}
