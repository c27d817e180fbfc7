/** Draws the mesh over the picture, with three.js and exactly the result's camera. */

import { DirectionalLight, HemisphereLight, Matrix4, Mesh, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import type { Person } from "../coevoer/index.js";
import { bodyMaterial, type Surface } from "./surface.js";

const REACH_M = 2; // how far a body extends from its origin, for the depth range
const NEAREST_M = 0.05;
const OPACITY = "0.8";

export class MeshOverlay {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera();
  private readonly mesh: Mesh;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly surface: Surface,
  ) {
    this.renderer = new WebGLRenderer({ canvas, alpha: true, antialias: true });
    canvas.style.opacity = OPACITY; // the whole layer, so that hidden limbs do not shine through
    this.mesh = new Mesh(surface.geometry, bodyMaterial());
    this.mesh.rotation.x = Math.PI; // from y down and z forward to y up and -z forward, as in three.js
    this.mesh.frustumCulled = false;
    const light = new DirectionalLight(0xffffff, 2.2);
    light.position.set(-0.45, 0.55, 1);
    this.scene.add(this.mesh, light, new HemisphereLight(0xffffff, 0x4a5568, 1.1));
    this.camera.matrixAutoUpdate = false;
  }

  /** Draws the person, if there is one, over a frame of W x H px. */
  draw(person: Person | null, frameWidth: number, frameHeight: number, widthPx: number, heightPx: number): void {
    if (this.canvas.width !== widthPx || this.canvas.height !== heightPx) this.renderer.setSize(widthPx, heightPx, false);
    this.canvas.style.visibility = person?.vertices ? "visible" : "hidden";
    if (!person?.vertices) return;
    this.surface.update(person.vertices);
    const depth = person.translation[2]!;
    const near = Math.max(depth - REACH_M, NEAREST_M);
    const projection = toProjection(person.camera, frameWidth, frameHeight, near, depth + REACH_M);
    this.camera.projectionMatrix.copy(projection);
    this.camera.projectionMatrixInverse.copy(projection).invert();
    this.renderer.render(this.scene, this.camera);
  }
}

/** Converts the pinhole camera of a frame to an OpenGL projection. */
export function toProjection(
  { focalPx, principalPointPx: [cx, cy] }: Person["camera"],
  width: number,
  height: number,
  near: number,
  far: number,
): Matrix4 {
  const scale = near / focalPx;
  return new Matrix4().makePerspective(-cx * scale, (width - cx) * scale, cy * scale, (cy - height) * scale, near, far);
}
