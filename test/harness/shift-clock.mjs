// Loaded into a process before anything else: its wall clock jumps an hour forward at the first SIGUSR2, two hours back at the second, and
// is right again after the third. The monotonic clock goes on.
const HOUR_MS = 3_600_000;
const RealDate = Date;
const shifts = [HOUR_MS, -HOUR_MS, 0];
let shiftMs = 0;
process.on('SIGUSR2', () => {
  shiftMs = shifts.shift() ?? 0;
});
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
};
