/** A span of time in which changes of some targets are expected. */
export interface MaintenanceWindow {
  /** Epoch milliseconds; the first belongs to the window, the last does not. */
  startMs: number;
  endMs: number;
  /** Labels a target must have, all of them. None: every target. */
  selector: Readonly<Record<string, string>>;
}

/** Is a target with these labels in maintenance? */
export function inMaintenance(
  windows: readonly MaintenanceWindow[],
  labels: Readonly<Record<string, string>>,
  nowMs: number,
): boolean {
  return windows.some(
    (window) =>
      nowMs >= window.startMs &&
      nowMs < window.endMs &&
      Object.entries(window.selector).every(([name, value]) => labels[name] === value),
  );
}

/** The next moment at which a window begins or ends; undefined where none is to come. */
export function nextMaintenanceChangeMs(windows: readonly MaintenanceWindow[], nowMs: number): number | undefined {
  const changes = windows.flatMap(({ startMs, endMs }) => [startMs, endMs]).filter((ms) => ms > nowMs);
  return changes.length === 0 ? undefined : Math.min(...changes);
}
