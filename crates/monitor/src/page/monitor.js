"use strict";

// Asks once a second for what the balancer says of its heads. Every word from
// outside enters the page as text, never as markup.

const EVERY_MS = 1000;
const ANSWER_MAX_MS = 3000;

const standing = document.getElementById("standing");
const table = document.querySelector("table");

function cell(row, text) {
  const cell = row.insertCell();
  cell.textContent = text;
  return cell;
}

function remarks(head) {
  const remarks = [];
  if (head.only) remarks.push("takes every new connection");
  if (head.failing) remarks.push(`last check failed at ${head.failing}`);
  for (const [event, count] of Object.entries(head.counters)) {
    if (count > 0) remarks.push(`${event}: ${count}`);
  }
  return remarks.join(", ");
}

function row(head) {
  const row = document.createElement("tr");
  cell(row, head.name);
  cell(row, head.address);
  cell(row, head.state).dataset.state = head.state;
  cell(row, String(head.connections));
  cell(row, remarks(head));
  return row;
}

function tell(text, stale) {
  standing.textContent = text;
  standing.classList.toggle("stale", stale);
  table.classList.toggle("stale", stale);
}

async function refresh() {
  const response = await fetch("/api/v1/heads", { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
  const answer = await response.json();
  if (!response.ok) {
    tell(answer.error.message, true);
    return;
  }
  const stale = answer.freshness === "stale";
  const age = (answer.age_ms / 1000).toFixed(1);
  document.getElementById("monitor").textContent = answer.monitor;
  document.getElementById("heads").replaceChildren(...answer.heads.map(row));
  tell(stale ? `The balancer has not answered for ${age} s: this was.` : `${age} s old`, stale);
}

async function turn() {
  try {
    await refresh();
  } catch {
    tell("The monitor does not answer.", true);
  }
  setTimeout(turn, EVERY_MS);
}

turn();
