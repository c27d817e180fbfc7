/**
 * Passes the frames of a video on, one at a time: when a frame has been processed, the newest one is next. Timestamps
 * are media times for files and times of display for cameras; they always increase.
 */

/** Called with each frame; the player waits for the promise. */
export type OnFrame = (frame: ImageBitmap, timestampMs: number) => Promise<void>;

export class Player {
  private readonly clock: Clock;
  private handle = 0;
  private stopped = false;
  private busy = false;
  private newestMs: number | null = null; // of the frame on screen, if it has not been passed on
  private readonly resume = (): void => this.visibility();

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly live: boolean,
    gapMs: number, // longer than the pipeline's max_gap_ms, so that tracking starts over
    private readonly onFrame: OnFrame,
    private readonly onError: (error: unknown) => void,
  ) {
    this.clock = new Clock(gapMs);
    document.addEventListener("visibilitychange", this.resume);
    this.listen();
  }

  stop(): void {
    this.stopped = true;
    this.video.cancelVideoFrameCallback(this.handle);
    document.removeEventListener("visibilitychange", this.resume);
  }

  private listen(): void {
    this.handle = this.video.requestVideoFrameCallback((now, { mediaTime }) => {
      this.newestMs = this.live ? now : mediaTime * 1000;
      if (!this.busy) void this.work();
      this.listen();
    });
  }

  /** Runs as long as there is a frame that has not been passed on. */
  private async work(): Promise<void> {
    this.busy = true;
    try {
      while (this.newestMs !== null && !this.stopped) {
        const timestampMs = this.clock.next(this.newestMs);
        this.newestMs = null;
        if (timestampMs !== null) await this.onFrame(await createImageBitmap(this.video), timestampMs);
      }
    } catch (error) {
      if (!this.stopped) this.onError(error);
      this.stop();
    }
    this.busy = false;
  }

  /** Pauses files while the tab is hidden. Cameras go on, and tracking starts over after the gap. */
  private visibility(): void {
    if (this.live || this.stopped) return;
    if (document.hidden) this.video.pause();
    else void this.video.play().catch(this.onError);
  }
}

/** Turns media times, which start over when a clip loops, into timestamps that increase. */
export class Clock {
  private offsetMs = 0;
  private lastMs: number | null = null;

  constructor(private readonly gapMs: number) {}

  /** The frame's time on the stream's clock, or null for a frame that was shown already. */
  next(timeMs: number): number | null {
    if (this.lastMs !== null && timeMs + this.offsetMs === this.lastMs) return null;
    if (this.lastMs !== null && timeMs + this.offsetMs < this.lastMs) this.offsetMs = this.lastMs + this.gapMs - timeMs;
    this.lastMs = timeMs + this.offsetMs;
    return this.lastMs;
  }
}
