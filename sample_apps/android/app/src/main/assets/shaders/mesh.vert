#version 300 es
// The mesh as the engine gives it, camera frame, m; `projection` takes it to where the frame is drawn (Projection.kt).
layout(location = 0) in highp vec3 position;
uniform highp mat4 projection;
uniform highp vec3 origin;
out highp vec3 place; // from the body's origin: small numbers, whose differences are exact enough

void main() {
    place = position - origin;
    gl_Position = projection * vec4(position, 1.0);
}
