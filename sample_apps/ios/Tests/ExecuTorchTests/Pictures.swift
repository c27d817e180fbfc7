// Bitmaps in, portable pixmaps out: what a test needs to look at.

import CoEvoerKit
import Foundation

/// An uncompressed BMP of 24 bits, rows from the bottom up, as linux/frames.py writes it.
func readBitmap(_ file: URL) throws -> PixelFrame {
  let bytes = [UInt8](try Data(contentsOf: file))
  let word = { (at: Int) in Int(bytes[at]) | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) << 16 | Int(bytes[at + 3]) << 24 }
  let (start, width, height) = (word(10), word(18), word(22))
  let row = (3 * width + 3) / 4 * 4
  var rgb: [UInt8] = []
  for y in (0..<height).reversed() {
    for x in 0..<width {
      let at = start + y * row + 3 * x
      rgb += [bytes[at + 2], bytes[at + 1], bytes[at]]
    }
  }
  return try PixelFrame(size: PixelSize(width: width, height: height), bytes: rgb)
}

/// Vertices as points and joints as crosses over the frame, enlarged.
func draw(_ vertices: [Vector2], _ joints: [Vector2], over frame: PixelFrame, scale: Int) throws -> Data {
  let (width, height) = (frame.size.width * scale, frame.size.height * scale)
  var rgb = [UInt8](repeating: 0, count: 3 * width * height)
  for y in 0..<height {
    for x in 0..<width {
      for c in 0..<3 { rgb[3 * (y * width + x) + c] = frame.bytes[3 * (y / scale * frame.size.width + x / scale) + c] / 2 }
    }
  }
  let dot = { (x: Int, y: Int, colour: [UInt8]) in
    guard (0..<width).contains(x), (0..<height).contains(y) else { return }
    rgb.replaceSubrange(3 * (y * width + x)..<3 * (y * width + x) + 3, with: colour)
  }
  let places = { (points: [Vector2]) in
    points.map { (Int(($0.x * Double(scale)).rounded(.down)), Int(($0.y * Double(scale)).rounded(.down))) }
  }
  for (x, y) in places(vertices) { dot(x, y, [120, 200, 255]) }
  for (x, y) in places(joints) {
    for d in -2...2 {
      dot(x + d, y, [255, 60, 30])
      dot(x, y + d, [255, 60, 30])
    }
  }
  return Data("P6 \(width) \(height) 255\n".utf8) + Data(rgb)
}
