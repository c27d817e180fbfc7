// The camera's picture, and the mesh over it. The layout of Clip is CoEvoerLive's ClipTransform.

#include <metal_stdlib>
using namespace metal;

struct PicturePoint {
  float4 position [[position]];
  float2 place;  // in the picture, 0 to 1
};

vertex PicturePoint picture_vertex(uint corner [[vertex_id]], constant float2& fit [[buffer(0)]]) {
  const float2 place = float2(corner & 1, corner >> 1);
  return {float4(fit * (place * float2(2, -2) + float2(-1, 1)), 1, 1), place};
}

fragment float4 picture_fragment(PicturePoint in [[stage_in]], texture2d<float> picture [[texture(0)]]) {
  return float4(picture.sample(sampler(filter::linear), in.place).rgb, 1);
}

struct Clip {
  float2 scale, shear, depth, fit;
};

struct MeshPoint {
  float4 position [[position]];
  float3 place;  // in the camera frame, m
};

vertex MeshPoint mesh_vertex(uint v [[vertex_id]], const device packed_float3* vertices [[buffer(0)]],
                             constant Clip& clip [[buffer(1)]]) {
  const float3 p = vertices[v];
  const float depth = (p.z - clip.depth.x) / (clip.depth.y - clip.depth.x);
  return {float4(clip.scale * p.xy + clip.shear * p.z, depth * p.z, p.z), p};
}

fragment float4 mesh_fragment(MeshPoint in [[stage_in]]) {
  const float3 normal = normalize(cross(dfdx(in.place), dfdy(in.place)));  // of the face
  return float4(float3(0.35, 0.65, 1.0) * (0.35 + 0.65 * abs(normal.z)), 1);
}
