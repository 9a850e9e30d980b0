// The stream of states: one EventSource, closed while nobody looks, opened again after
// the monitor was away.

/** @typedef {"connecting"|"live"|"lost"|"polling"|"off"} Standing */

/** Without a state for so long, the stream is dead whatever TCP believes. */
const SILENCE_MAX_MS = 6000;
/** By then the next stream has begun, if the monitor is there. */
const LOST_AFTER_MS = 3500;
/** A refused stream is tried again: the monitor may have restarted behind another door. */
const AGAIN_MS = 2000;
/** Where there is none, there will hardly be one soon. */
const AGAIN_ABSENT_MS = 60_000;

/**
 * @param {{state: (state: any) => void, standing: (standing: Standing) => void, back: () => void,
 *   refused: () => Promise<"absent"|"failed">}} told `back` follows the first state after a loss
 */
export function live(told) {
  /** @type {EventSource|null} */
  let source = null;
  /** @type {number|undefined} */
  let again;
  let lastMs = 0;
  let wanted = false;
  let wasLost = false;

  function open() {
    close();
    told.standing(wasLost ? "lost" : "connecting");
    lastMs = performance.now();
    source = new EventSource("/api/v1/events");
    source.addEventListener("state", (event) => receive(/** @type {MessageEvent} */ (event)));
    source.addEventListener("error", () => fail());
  }

  /** @param {MessageEvent} event */
  function receive(event) {
    lastMs = performance.now();
    let state;
    try {
      state = JSON.parse(event.data);
    } catch {
      return;
    }
    if (wasLost) {
      wasLost = false;
      told.back();
    }
    told.standing("live");
    told.state(state);
  }

  async function fail() {
    const closed = source?.readyState === EventSource.CLOSED;
    wasLost = true;
    // A stream has an end, after which the browser asks for the next one.
    told.standing(closed ? "lost" : "connecting");
    if (!closed) return;
    close();
    const reason = await told.refused();
    if (!wanted || source) return;
    if (reason === "absent") {
      wasLost = false;
      told.standing("polling");
    }
    clearTimeout(again);
    again = setTimeout(open, reason === "absent" ? AGAIN_ABSENT_MS : AGAIN_MS);
  }

  function close() {
    clearTimeout(again);
    source?.close();
    source = null;
  }

  setInterval(() => {
    if (source && wasLost && performance.now() - lastMs > LOST_AFTER_MS) told.standing("lost");
    if (source && performance.now() - lastMs > SILENCE_MAX_MS) {
      wasLost = true;
      open();
    }
  }, 1000);

  return {
    /** @param {boolean} value whether states are wanted now */
    want(value) {
      if (value === wanted) return;
      wanted = value;
      if (value) {
        open();
      } else {
        close();
        told.standing("off");
      }
    },
  };
}
