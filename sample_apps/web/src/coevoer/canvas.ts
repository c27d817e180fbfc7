/**
 * Turns bitmaps into frames. Pixels are read by drawing on one canvas, which is enlarged when needed and never shrinks.
 */

import { CoEvoerError } from "./errors.js";
import type { Frame } from "./frame-pipeline.js";

export class CanvasReader {
  private canvas: OffscreenCanvas | null = null;

  /** `grey`: the grey level behind transparent pixels, 0 to 255. */
  constructor(private readonly grey: number) {}

  /** The frame reads from the bitmap, which must stay open while the frame is used. */
  frame(bitmap: ImageBitmap): Frame {
    const { width, height } = bitmap;
    return { width, height, read: (left, top, w, h) => this.read(bitmap, left, top, w, h) };
  }

  private read(bitmap: ImageBitmap, left: number, top: number, width: number, height: number): Uint8ClampedArray {
    if (!this.canvas || this.canvas.width < width || this.canvas.height < height) {
      const { width: w = 0, height: h = 0 } = this.canvas ?? {};
      this.canvas = new OffscreenCanvas(Math.max(width, w), Math.max(height, h));
    }
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new CoEvoerError("platform", "This browser has no 2D canvas in workers; use a newer browser.");
    context.fillStyle = `rgb(${this.grey} ${this.grey} ${this.grey})`;
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  }
}
