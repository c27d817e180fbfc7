/** The body in a 3D view that can be turned: as posed, or in the rest pose while nobody is found. */

import { DirectionalLight, GridHelper, HemisphereLight, Mesh, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import type { Person } from "../coevoer/index.js";
import { bodyMaterial, Surface } from "./surface.js";

const RESTING = 0x5c6b80;

export class Viewer {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(32, 1, 0.1, 50);
  private readonly controls: OrbitControls;
  private readonly posed: Mesh;
  private readonly resting: Mesh;
  private queued = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    surface: Surface, // of the posed body, camera frame
    rest: Surface, // y up
  ) {
    this.renderer = new WebGLRenderer({ canvas, alpha: true, antialias: true });
    this.posed = new Mesh(surface.geometry, bodyMaterial());
    this.posed.rotation.x = Math.PI;
    this.posed.frustumCulled = false;
    const material = bodyMaterial();
    material.color.set(RESTING);
    this.resting = new Mesh(rest.geometry, material);
    const light = new DirectionalLight(0xffffff, 2);
    light.position.set(-1, 1.5, 2);
    const grid = new GridHelper(4, 16, 0x34425a, 0x223044);
    grid.position.y = -1.1;
    this.scene.add(this.posed, this.resting, light, new HemisphereLight(0xffffff, 0x4a5568, 1.2), grid);
    this.camera.position.set(0.5, 0.4, 3);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.target.set(0, 0.12, 0);
    this.controls.minDistance = 0.5;
    this.controls.maxDistance = 8;
    this.controls.update();
    this.controls.addEventListener("change", () => this.later());
    new ResizeObserver(() => this.later()).observe(canvas);
    this.show(null);
  }

  /** Shows the person, whose vertices the shared surface already has, or the rest pose. */
  show(person: Person | null): void {
    this.posed.visible = person !== null;
    this.resting.visible = person === null;
    if (person) {
      const [x, y, z] = person.jointsCam; // moves the pelvis to the middle
      this.posed.position.set(-x!, y!, z!);
    }
    this.later();
  }

  /** Draws once at the page's next repaint, however often it is called. */
  private later(): void {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      const scale = Math.min(devicePixelRatio, 2);
      const [width, height] = [this.canvas.clientWidth * scale, this.canvas.clientHeight * scale].map(Math.round);
      if (!width || !height) return;
      if (this.canvas.width !== width || this.canvas.height !== height) {
        this.renderer.setSize(width, height, false);
        this.camera.aspect = width / height;
        this.camera.updateProjectionMatrix();
      }
      this.renderer.render(this.scene, this.camera);
    });
  }
}
