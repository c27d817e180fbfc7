// Reads the frames that the C++ command line processed.

import CoEvoerKit
import Foundation

/// An uncompressed BMP of 24 bits, rows from the bottom up, as linux/frames.py writes it.
func readBitmap(_ file: URL) throws -> PixelFrame {
  let bytes = [UInt8](try Data(contentsOf: file))
  let word = { (at: Int) in (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
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
