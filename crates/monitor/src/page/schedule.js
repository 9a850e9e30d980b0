// Asks again and again for what has no stream: never twice at a time, and not at all
// while nobody looks or the page is paused.

const TURN_MS = 250;

/** What the monitor does not have now, it will hardly have soon. */
const ABSENT_AGAIN_MS = 60_000;

/** @typedef {{run: () => Promise<"absent"|void>, everyS: () => number, due: number, running: boolean, asked: boolean}} Task */

/** @type {Map<string, Task>} */
const tasks = new Map();
let paused = false;

/** @param {string} name @param {() => number} everyS @param {() => Promise<"absent"|void>} run */
export function every(name, everyS, run) {
  tasks.set(name, { run, everyS, due: 0, running: false, asked: false });
}

/** Makes tasks due, on a paused page too: all, or those that are named. @param {...string} names */
export function soon(...names) {
  for (const [name, task] of tasks) {
    if (names.length === 0 || names.includes(name)) Object.assign(task, { due: 0, asked: true });
  }
}

/** @param {boolean} value */
export function hold(value) {
  paused = value;
  if (!value) soon();
}

/** @param {Task} task @param {number} at */
async function turn(task, at) {
  task.running = true;
  task.asked = false;
  task.due = at + task.everyS() * 1000;
  try {
    if ((await task.run()) === "absent") task.due = at + ABSENT_AGAIN_MS;
  } finally {
    task.running = false;
  }
}

export function start() {
  setInterval(() => {
    if (document.hidden) return;
    const at = performance.now();
    for (const task of tasks.values()) {
      if (!task.running && at >= task.due && (!paused || task.asked)) turn(task, at);
    }
  }, TURN_MS);
}
