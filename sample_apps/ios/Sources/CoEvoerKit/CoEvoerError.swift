// The four kinds of errors. Every message says what was given, what is valid and what to do.

import Foundation

public enum CoEvoerError: Error, Equatable, Sendable {
  /// A call that was refused: wrong mode, closed, a bad frame, a timestamp that does not increase.
  case usage(String)
  /// A bundle that is missing, was altered, or has another contract.
  case bundle(String)
  /// Outputs that break the contract (missing, another shape, not finite), or a runtime that fails.
  case network(String)
  /// Too little memory. The estimator is still usable, and the call may be tried again.
  case memory(String)

  public var message: String {
    switch self {
    case .usage(let message), .bundle(let message), .network(let message), .memory(let message): message
    }
  }

}

extension CoEvoerError: LocalizedError {
  public var errorDescription: String? { message }
}

extension CoEvoerError: CustomStringConvertible {
  public var description: String { message }
}
