#version 300 es
// One colour, lit from the viewer by each face's own normal. Premultiplied: the surface lies over the camera's picture.
precision highp float;
in highp vec3 place;
uniform vec4 colour;
out vec4 fragment;

void main() {
    vec3 normal = normalize(cross(dFdx(place), dFdy(place)));
    float light = 0.25 + 0.75 * abs(normal.z);
    fragment = vec4(colour.rgb * light * colour.a, colour.a);
}
