/** The picture with the result on it: each result is drawn over the frame that it was computed from. */

import type { EstimatorResult, Info } from "../coevoer/index.js";
import { drawBoxes, drawCrop, drawSkeleton, type Layers } from "./marks.js";
import type { MeshOverlay } from "./overlay.js";
import { part } from "./page.js";

const THIN_PX = 1.4; // width of a thin line on screen

export class Stage {
  private readonly box = part("stage", HTMLDivElement);
  private readonly frame = part("frame", HTMLCanvasElement);
  private readonly marks = part("marks", HTMLCanvasElement);
  private shown: { frame: ImageBitmap; result: EstimatorResult } | null = null;
  layers: Layers = { mesh: true, skeleton: true, boxes: false, crop: true };

  constructor(
    private readonly info: Info,
    private readonly overlay: MeshOverlay,
    private readonly mesh: HTMLCanvasElement,
  ) {
    new ResizeObserver(() => this.redraw()).observe(this.box);
  }

  /** Whether the picture is mirrored, as for a camera that faces the user. */
  set mirrored(value: boolean) {
    this.box.classList.toggle("mirrored", value);
  }

  /** Takes over the frame and draws it with its result. */
  show(frame: ImageBitmap, result: EstimatorResult): void {
    this.shown?.frame.close();
    this.shown = { frame, result };
    this.redraw();
  }

  redraw(): void {
    if (!this.shown) return;
    const { frame, result } = this.shown;
    const fit = Math.min(this.box.clientWidth / frame.width, this.box.clientHeight / frame.height);
    if (!(fit > 0)) return;
    const pixels = Math.min(devicePixelRatio, 2) * fit; // of the canvas per pixel of the frame
    const [width, height] = [Math.round(frame.width * pixels), Math.round(frame.height * pixels)];
    for (const canvas of [this.frame, this.mesh, this.marks]) {
      canvas.style.width = `${frame.width * fit}px`;
      canvas.style.height = `${frame.height * fit}px`;
    }
    this.draw(this.frame, width, height, pixels, (context) => context.drawImage(frame, 0, 0));
    const { person, crop } = result;
    this.overlay.draw(this.layers.mesh ? person : null, frame.width, frame.height, width, height);
    const unit = THIN_PX / fit;
    this.draw(this.marks, width, height, pixels, (context) => {
      if (this.layers.crop) drawCrop(context, crop, frame.width, frame.height, unit);
      if (person && this.layers.boxes) drawBoxes(context, person, this.info, unit);
      if (person && this.layers.skeleton) drawSkeleton(context, person, this.info, unit);
    });
  }

  private draw(
    canvas: HTMLCanvasElement,
    width: number,
    height: number,
    scale: number,
    paint: (context: CanvasRenderingContext2D) => void,
  ): void {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser has no 2D canvas; use a newer browser.");
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    paint(context);
  }
}
