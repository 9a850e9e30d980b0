// What all scenes need: a browser, a page with a log-in, and whatever went wrong on it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const modules = process.env.PAGE_MODULES;
assert(modules, "PAGE_MODULES names the folder of the installed packages");
export const require = createRequire(path.join(modules, "stage.cjs"));
const { chromium } = require("playwright-core");

export const BASE = process.env.PAGE_URL;
/** Longer than anything on the page takes on a loaded machine. */
export const LIMIT_MS = 30_000;
const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-quic", "--disable-background-networking"];

/** Opens a browser, plays, and fails if the page complained meanwhile. */
export async function play(scene) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGUMENTS });
  try {
    await scene(browser);
  } finally {
    await browser.close();
  }
}

/**
 * A page of somebody who is logged in.
 * `complaints` has errors of the console and of scripts, and violations of the policy;
 * `away` says that answers may fail to come for a while.
 */
export async function look(browser, { width = 1280, theme = "light", query = "", bypassCSP = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: 900 }, colorScheme: theme, ignoreHTTPSErrors: true, bypassCSP,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(LIMIT_MS);
  await logIn(context);
  const absent = await absentParts(context);
  const page = await context.newPage();
  const stage = { page, context, complaints: [], away: false };
  page.on("console", (message) => {
    const isNet = /Failed to load resource|net::ERR/.test(message.text());
    const { pathname } = new URL(message.location().url || BASE);
    const isKnown = isNet && (stage.away || absent.includes(pathname));
    if (["error", "warning"].includes(message.type()) && !isKnown) {
      stage.complaints.push(`${message.text()} ${pathname}`);
    }
  });
  page.on("pageerror", (error) => stage.complaints.push(String(error.stack)));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  await page.goto(`${BASE}/${query}`);
  await live(page);
  return stage;
}

/**
 * Parts that a monitor may lack, and lacks: the page says so in their panels, and browsers
 * write each 404 on the console, whoever expects it.
 */
async function absentParts(context) {
  const parts = ["/api/v1/findings", "/api/v1/connections", "/api/v1/compare"];
  const statuses = await Promise.all(parts.map(async (part) => (await context.request.get(`${BASE}${part}`)).status()));
  return parts.filter((_, i) => statuses[i] === 404);
}

/** By the form, as a person does. */
export async function logIn(context) {
  const page = await context.newPage();
  await page.goto(`${BASE}/login`);
  await page.getByLabel("Ticket").fill(process.env.PAGE_TICKET);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(`${BASE}/`);
  await page.close();
}

/** Waits until states come and the chart has requests. */
export async function live(page) {
  await page.locator(".standing[data-standing=live]").waitFor();
}

/** Waits until this is true in the page. */
export async function until(page, what, holds, argument) {
  await page.waitForFunction(holds, argument, { timeout: LIMIT_MS, polling: 200 }).catch((error) => {
    throw new Error(`${what}: ${error.message}`);
  });
}

/** What the interface answers to the same person. */
export function ask(page, address) {
  return page.evaluate(async (url) => (await fetch(url)).json(), address);
}

export function clean({ complaints }) {
  assert.deepEqual(complaints, []);
}
