/** Shows frames a second and the latency of each step. In: the timings of each frame. */

import { median } from "../coevoer/selfcheck.js";
import type { Timings } from "../coevoer/index.js";
import { part } from "./page.js";

/** The timings of a frame, with the time that the page takes to draw it. */
export interface FrameTimes extends Timings {
  readonly drawMs: number;
}

const STEPS = [
  { key: "cropMs", name: "crop", color: "#8b7cf6" },
  { key: "networkMs", name: "network", color: "#96c2f6" },
  { key: "decodeMs", name: "decode", color: "#2ec4b6" },
  { key: "drawMs", name: "draw", color: "#ff9f1c" },
] as const;

const KEPT = 30; // frames
const REFRESH_MS = 250; // numbers that change faster cannot be read

export class Stats {
  private readonly frames: FrameTimes[] = [];
  private readonly ends: number[] = [];
  private shown = 0;
  private readonly bars: HTMLElement[];
  private readonly values: HTMLElement[];

  constructor() {
    this.bars = STEPS.map(({ color }) => Object.assign(document.createElement("i"), { style: `background:${color}` }));
    part("split", HTMLDivElement).replaceChildren(...this.bars);
    this.values = STEPS.map(() => document.createElement("dd"));
    const rows = STEPS.flatMap(({ name, color }, i) => {
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("i"), { style: `background:${color}` }), name);
      return [term, this.values[i]!];
    });
    part("steps", HTMLDListElement).replaceChildren(...rows);
    this.clear();
  }

  /** Discards the frames of the previous source. */
  clear(): void {
    this.frames.length = this.ends.length = 0;
    this.show();
  }

  add(times: FrameTimes): void {
    const now = performance.now();
    this.frames.push(times);
    this.ends.push(now);
    if (this.frames.length > KEPT) this.frames.shift();
    if (this.ends.length > KEPT) this.ends.shift();
    if (now - this.shown < REFRESH_MS) return;
    this.shown = now;
    this.show();
  }

  /**
   * Median times in ms, null before the first frame, and frames a second over the frames kept, null before the second.
   */
  get current(): { readonly fps: number | null; readonly steps: FrameTimes | null } {
    const span = (this.ends.at(-1) ?? 0) - (this.ends[0] ?? 0);
    const fps = span > 0 ? (1000 * (this.ends.length - 1)) / span : null;
    if (!this.frames.length) return { fps, steps: null };
    const of = (key: keyof FrameTimes): number => median(this.frames.map((frame) => frame[key]));
    return { fps, steps: { cropMs: of("cropMs"), networkMs: of("networkMs"), decodeMs: of("decodeMs"), drawMs: of("drawMs") } };
  }

  private show(): void {
    const { fps, steps } = this.current;
    const total = steps ? STEPS.reduce((sum, { key }) => sum + steps[key], 0) : 0;
    part("fps", HTMLElement).textContent = fps === null ? "–" : fps.toFixed(fps < 10 ? 1 : 0);
    part("latency", HTMLElement).textContent = steps ? total.toFixed(0) : "–";
    STEPS.forEach(({ key }, i) => {
      this.bars[i]!.style.width = steps && total ? `${(100 * steps[key]) / total}%` : "0";
      this.values[i]!.textContent = steps ? `${steps[key].toFixed(1)} ms` : "–";
    });
  }
}
