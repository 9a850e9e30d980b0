// The monitor's time: that of the browser may be wrong, and all that is shown is dated
// by the monitor.

/** A difference that a full second and the way of an answer explain is none. */
const DIFFERENCE_MIN_MS = 3000;

let aheadMs = 0;

/** Unix milliseconds at the monitor. */
export function now() {
  return Date.now() + aheadMs;
}

/** @param {number} monitorMs what the monitor's clock said just now */
export function learn(monitorMs) {
  const difference = monitorMs - Date.now();
  if (Number.isFinite(difference) && Math.abs(difference - aheadMs) > DIFFERENCE_MIN_MS) {
    aheadMs = Math.abs(difference) > DIFFERENCE_MIN_MS ? difference : 0;
  }
}
