/** Draws lines over the picture, in pixels of the frame: the skeleton, the part boxes, the network's crop. */

import type { Crop, Info, Person } from "../coevoer/index.js";

/** The layers to draw. */
export interface Layers {
  readonly mesh: boolean;
  readonly skeleton: boolean;
  readonly boxes: boolean;
  readonly crop: boolean;
}

const LEFT = "#ff9f1c"; // the person's own left
const RIGHT = "#2ec4b6";
const MIDDLE = "#fafafa";
const BOX = "#ffd60a";
const RIM = "#141414cc"; // keeps lines readable on any picture

const FINGER = /index|middle|pinky|ring|thumb/;
const BELOW = /hip|knee|ankle|foot/; // not drawn: the network is made for the upper body

/** Draws the bones and joints; `unit` is the width of a thin line in px of the frame. */
export function drawSkeleton(context: CanvasRenderingContext2D, person: Person, info: Info, unit: number): void {
  const { manifest, body } = info;
  const at = (j: number): [number, number] => [person.jointsPx[2 * j]!, person.jointsPx[2 * j + 1]!];
  const seen = (j: number): boolean => person.jointsCam[3 * j + 2]! > 0 && !BELOW.test(manifest.joint_names[j]!);
  context.lineCap = "round";
  for (const rim of [true, false]) {
    manifest.joint_names.forEach((name, j) => {
      const parent = body.parents[j]!;
      if (!seen(j) || name.includes("eye")) return;
      const fine = FINGER.test(name);
      const color = rim ? RIM : name.startsWith("left") ? LEFT : name.startsWith("right") ? RIGHT : MIDDLE;
      context.strokeStyle = context.fillStyle = color;
      context.lineWidth = (fine ? 0.8 : 1.6) * unit + (rim ? unit : 0);
      if (parent >= 0 && seen(parent)) {
        context.beginPath();
        context.moveTo(...at(parent));
        context.lineTo(...at(j));
        context.stroke();
      }
      context.beginPath();
      context.arc(...at(j), (fine ? 1 : 1.9) * unit + (rim ? 0.5 * unit : 0), 0, 2 * Math.PI);
      context.fill();
    });
  }
}

/** Draws the box of each visible part (face, left hand, right hand) with its name. */
export function drawBoxes(context: CanvasRenderingContext2D, person: Person, info: Info, unit: number): void {
  const names = info.manifest.outputs.find(({ name }) => name === "part_boxes")?.rows ?? [];
  context.font = `${10 * unit}px system-ui, sans-serif`;
  context.lineWidth = 1.2 * unit;
  context.strokeStyle = context.fillStyle = BOX;
  names.forEach((name, i) => {
    if (person.visibility[i + 1]! < 0.5) return; // more likely hidden than visible
    const [x1, y1, x2, y2] = person.boxesPx.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.fillText(name.replace("_", " "), x1, y1 - 3 * unit);
  });
}

/** Darkens the part of the frame outside the crop. */
export function drawCrop(context: CanvasRenderingContext2D, crop: Crop, width: number, height: number, unit: number): void {
  context.fillStyle = "#06090d66";
  context.beginPath();
  context.rect(0, 0, width, height);
  context.rect(crop.x0, crop.y0, crop.width, crop.height);
  context.fill("evenodd");
  context.setLineDash([5 * unit, 4 * unit]);
  context.strokeStyle = "#ffffffb0";
  context.lineWidth = 0.8 * unit;
  context.strokeRect(crop.x0, crop.y0, crop.width, crop.height);
  context.setLineDash([]);
}
