// Reads safetensors: a little-endian length, a JSON header, raw little-endian arrays. In: a file or bytes that nobody
// vouches for. Out: arrays by name, with shape and type checked.

import Foundation

public struct Safetensors: Sendable {
  public struct Entry: Sendable {
    public let dtype: String  // as in the file: "F32", "U8", ...
    public let shape: [Int]
    let range: Range<Int>  // in the data
  }

  public let entries: [String: Entry]
  public let metadata: [String: String]
  private let name: String
  private let data: Data

  /// Throws `CoEvoerError.bundle`: not readable, cut short, a header that is none, arrays that lie outside the file,
  /// overlap or leave holes, sizes that are not those of their shapes.
  public init(file: URL) throws {
    let data = try readable(file) { try Data(contentsOf: file, options: .mappedIfSafe) }
    try self.init(data: data, name: file.path)
  }

  public init(data: Data, name: String) throws {
    let fail = { (what: String) in unreadable(name, what) }
    guard data.count >= 8 else { throw fail("has \(data.count) bytes, fewer than the 8 of its length field") }
    let length = data.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard length <= UInt64(data.count - 8) else {
      throw fail("announces a header of \(length) bytes and has \(data.count - 8)")
    }
    let start = data.startIndex + 8 + Int(length)
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: data[data.startIndex + 8..<start])
    } catch {
      throw fail("has a header that cannot be read (\(error))")
    }
    let payload = data[start...]
    entries = try Dictionary(
      uniqueKeysWithValues: header.tensors.map { key, tensor in
        (key, try tensor.entry(key, payload: payload.count, fail: fail))
      })
    var reached = 0
    let ranges = entries.values.map { ($0.range.lowerBound, $0.range.upperBound) }.sorted(by: <)
    for (start, end) in ranges {
      guard start == reached else { throw fail("has arrays that overlap or leave holes") }
      reached = end
    }
    guard reached == payload.count else { throw fail("has bytes that belong to no array") }
    metadata = header.metadata
    self.name = name
    self.data = payload
  }

  /// Throws `CoEvoerError.bundle` where there is no tensor of that name.
  public func entry(_ tensor: String) throws -> Entry {
    guard let entry = entries[tensor] else { throw unreadable(name, "has no \(tensor)") }
    return entry
  }

  /// The values, row-major. `nil` in `shape` stands for any size. Throws `CoEvoerError.bundle` for another name, type
  /// or shape.
  public func values<T: TensorScalar>(_ tensor: String, _ shape: [Int?], as type: T.Type = T.self) throws -> [T] {
    let entry = try entry(tensor)
    let fits = entry.shape.count == shape.count && zip(entry.shape, shape).allSatisfy { $1 == nil || $0 == $1 }
    guard fits, entry.dtype == T.dtype else {
      let wanted = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
      throw unreadable(name, "holds \(tensor) as \(entry.dtype) \(entry.shape); it has to be \(T.dtype) [\(wanted)]")
    }
    return raw(entry)
  }

  /// The values of any of these types, as float64.
  public func numbers(_ tensor: String) throws -> [Double] {
    let entry = try entry(tensor)
    switch entry.dtype {
    case "F32": return (raw(entry) as [Float]).map(Double.init)
    case "F64": return raw(entry)
    case "I32": return (raw(entry) as [Int32]).map(Double.init)
    case "I64": return (raw(entry) as [Int64]).map(Double.init)
    case "U8", "BOOL": return (raw(entry) as [UInt8]).map(Double.init)
    default: throw unreadable(name, "holds \(tensor) as \(entry.dtype); F32, F64, I32, I64, U8 and BOOL are read")
    }
  }

  private func raw<T: TensorScalar>(_ entry: Entry) -> [T] {
    let count = entry.range.count / MemoryLayout<T>.size
    return [T](unsafeUninitializedCapacity: count) { values, initialized in
      data.withUnsafeBytes { bytes in
        UnsafeMutableRawBufferPointer(values).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[entry.range]))
      }
      initialized = count
    }
  }
}

/// The types that are read without conversion, since all platforms of Swift are little-endian.
public protocol TensorScalar: BitwiseCopyable {
  static var dtype: String { get }
}

extension Float: TensorScalar { public static let dtype = "F32" }
extension Double: TensorScalar { public static let dtype = "F64" }
extension UInt8: TensorScalar { public static let dtype = "U8" }
extension Int32: TensorScalar { public static let dtype = "I32" }
extension Int64: TensorScalar { public static let dtype = "I64" }

private let bytesByType = [
  "BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8,
  "I64": 8, "F64": 8,
]

private func unreadable(_ name: String, _ what: String) -> CoEvoerError {
  .bundle("\(name) \(what); export the bundle again or copy it whole.")
}

private struct Header: Decodable {
  struct Tensor: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]  // the format's own spelling

    func entry(_ key: String, payload: Int, fail: (String) -> CoEvoerError) throws -> Entry {
      guard let size = bytesByType[dtype] else { throw fail("holds \(key) as \(dtype), which is unknown") }
      var bytes = size
      for side in shape {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: side)
        guard side >= 0, !overflow else { throw fail("says that \(key) has shape \(shape), which cannot be") }
        bytes = product
      }
      guard data_offsets.count == 2, 0 <= data_offsets[0], data_offsets[0] <= data_offsets[1],
        data_offsets[1] <= payload
      else { throw fail("says that \(key) lies outside of it") }
      let range = data_offsets[0]..<data_offsets[1]
      guard range.count == bytes else {
        throw fail("has \(range.count) bytes of \(key); \(dtype) \(shape) takes \(bytes)")
      }
      return Entry(dtype: dtype, shape: shape, range: range)
    }

    typealias Entry = Safetensors.Entry
  }

  struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var metadata: [String: String] = [:]
  var tensors: [String: Tensor] = [:]

  init(from decoder: any Decoder) throws {
    let table = try decoder.container(keyedBy: Key.self)
    for key in table.allKeys {
      if key.stringValue == "__metadata__" {
        metadata = try table.decode([String: String].self, forKey: key)
      } else {
        tensors[key.stringValue] = try table.decode(Tensor.self, forKey: key)
      }
    }
  }
}
