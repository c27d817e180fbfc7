/** The body's surface for three.js: one geometry whose points change with each frame. */

import { BufferAttribute, BufferGeometry, Color, DynamicDrawUsage, MeshStandardMaterial } from "three";

/** The blue of the project's overlays. */
export const MESH_COLOR = new Color(0x96c2f6);

export class Surface {
  readonly geometry = new BufferGeometry();
  private readonly points: BufferAttribute;
  private readonly normals: BufferAttribute;

  /** `faces` (F, 3), outward counterclockwise; `vertices` (V, 3), m. */
  constructor(
    private readonly faces: Int32Array,
    vertices: Float32Array,
  ) {
    this.points = new BufferAttribute(new Float32Array(vertices.length), 3).setUsage(DynamicDrawUsage);
    this.normals = new BufferAttribute(new Float32Array(vertices.length), 3).setUsage(DynamicDrawUsage);
    this.geometry.setAttribute("position", this.points);
    this.geometry.setAttribute("normal", this.normals);
    this.geometry.setIndex(new BufferAttribute(Uint32Array.from(faces), 1));
    this.update(vertices);
  }

  update(vertices: Float32Array): void {
    this.points.array.set(vertices);
    vertexNormals(vertices, this.faces, this.normals.array as Float32Array);
    this.points.needsUpdate = this.normals.needsUpdate = true;
  }
}

/** Normals (V, 3) weighted by the areas of the faces. They do not have unit length; shaders normalise them. */
export function vertexNormals(vertices: Float32Array, faces: Int32Array, out: Float32Array): void {
  out.fill(0);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f]!, 3 * faces[f + 1]!, 3 * faces[f + 2]!];
    const [ax, ay, az] = [vertices[a]!, vertices[a + 1]!, vertices[a + 2]!];
    const [ux, uy, uz] = [vertices[b]! - ax, vertices[b + 1]! - ay, vertices[b + 2]! - az];
    const [vx, vy, vz] = [vertices[c]! - ax, vertices[c + 1]! - ay, vertices[c + 2]! - az];
    const [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const i of [a, b, c]) {
      out[i]! += nx;
      out[i + 1]! += ny;
      out[i + 2]! += nz;
    }
  }
}

/** The material of the body, in the 3D view and over the picture. */
export function bodyMaterial(): MeshStandardMaterial {
  return new MeshStandardMaterial({ color: MESH_COLOR, roughness: 0.62, metalness: 0.05 });
}
