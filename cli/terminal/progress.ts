/** How far long work has come: a bar on a terminal, a line every few seconds elsewhere. */

export interface Step {
  /** May be a fraction, where a part of one is done. */
  readonly done: number;
  readonly total: number;
  /** What is known so far. */
  readonly found?: string;
  /** What is running now. */
  readonly running: string;
}

const REDRAW_MS = 100;
const LINE_MS = 5_000;
const BAR_WIDTH = 20;

export class Progress {
  private readonly stream: NodeJS.WriteStream;
  private readonly mode: "bar" | "lines" | "none";
  private readonly started = Date.now();
  private step: Step | undefined;
  private shownAt: number;
  private isDrawn = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream, mode: "bar" | "lines" | "none") {
    this.stream = stream;
    this.mode = mode;
    this.shownAt = this.started;
  }

  update(step: Step): void {
    this.step = step;
    if (this.mode === "none") return;
    this.timer ??= setInterval(() => this.show(), REDRAW_MS).unref();
    this.show();
  }

  /** Takes the bar away, so that something else can be written; the next update draws it again. */
  clear(): void {
    if (this.isDrawn) this.stream.write("\r\x1b[K");
    this.isDrawn = false;
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.step = undefined;
    this.clear();
  }

  private show(): void {
    const now = Date.now();
    if (this.step === undefined || now - this.shownAt < (this.mode === "bar" ? REDRAW_MS : LINE_MS)) return;
    this.shownAt = now;
    const seconds = (now - this.started) / 1000;
    if (this.mode === "bar") {
      const columns = this.stream.columns ?? 80;
      this.stream.write(`\r\x1b[K${`${bar(this.step)} ${describe(this.step, seconds)}`.slice(0, columns - 1)}`);
      this.isDrawn = true;
    } else {
      this.stream.write(`${describe(this.step, seconds)}\n`);
    }
  }
}

function bar({ done, total }: Step): string {
  const filled = total === 0 ? 0 : Math.min(BAR_WIDTH, Math.floor((BAR_WIDTH * done) / total));
  return `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
}

/** `12/40 done (12 proved), 3.1/s, 9.0 s left: pipeline commute/cycle/addi (prove)` */
export function describe({ done, total, found = "", running }: Step, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const left = done > 0 && done < total ? `, ${duration(((total - done) / done) * seconds)} left` : "";
  const known = found === "" ? "" : ` (${found})`;
  return `${Math.floor(done)}/${total} done${known}, ${rate.toFixed(1)}/s${left}${running === "" ? "" : `: ${running}`}`;
}

/** `850 ms`, `3.2 s`, `42 s`, `3 min 20 s` */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
